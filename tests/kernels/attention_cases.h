// Awkward calls of attention, which its tests share.
#pragma once

#include <initializer_list>
#include <limits>
#include <utility>
#include <vector>

#include "attention_call.h"

namespace pt::test {

inline std::vector<AttentionCase> attention_sizes() {
  std::vector<AttentionCase> all;
  const auto same = [&](std::vector<int64_t> lengths, int64_t heads, int64_t head_dim) {
    AttentionCase c;
    c.queries = c.keys = lengths;
    c.heads = heads;
    c.head_dim = head_dim;
    all.push_back(c);
    c.causal = c.by_heads = true;
    all.push_back(c);
  };
  for (const int64_t n : {1, 5, 13, 14, 15, 16, 31, 32, 33, 113}) same({n, n / 2, 1}, 2, 12);
  for (const int64_t n : {127, 129, 255, 256, 257}) same({n}, 1, 8);
  for (const int64_t d : {1, 2, 7, 8, 15, 16, 17, 31, 32, 33, 64, 65, 128, 255, 256}) {
    same({9, 3}, 1, d);
  }
  const auto cross = [&](std::vector<int64_t> queries, std::vector<int64_t> keys) {
    AttentionCase c;
    c.queries = queries;
    c.keys = keys;
    c.head_dim = 9;
    all.push_back(c);
    c.causal = true;
    all.push_back(c);
  };
  cross({}, {});
  cross({0, 0}, {0, 0});
  cross({0, 4, 0, 2, 3}, {3, 4, 0, 0, 1});
  cross({3, 1, 8}, {6, 9, 40});
  cross({20, 9, 17}, {3, 1, 16});
  cross({1, 1}, {257, 300});
  cross({150}, {1});
  return all;
}

inline std::vector<AttentionCase> attention_visibility() {
  std::vector<AttentionCase> all;
  AttentionCase packed, dense;
  packed.queries = {5, 20, 2};
  packed.keys = {7, 33, 9};
  dense.queries = {18, 18};
  dense.keys = {35, 35};
  dense.dense = true;
  for (AttentionCase c : {packed, dense}) {
    c.head_dim = 10;
    all.push_back(c);
    for (const auto& [left, right] :
         {std::pair<int64_t, int64_t>{0, 0}, {3, 2}, {4, -1}, {-1, 5}, {0, 50}, {50, 0}}) {
      c.left = left;
      c.right = right;
      for (const bool causal : {false, true}) {
        c.causal = causal;
        c.poison = causal ? Poison::hidden : Poison::none;
        all.push_back(c);
      }
    }
    c.causal = false;
    c.left = c.right = -1;
    for (const MaskKind kind : {MaskKind::boolean, MaskKind::additive}) {
      c.mask = kind;
      for (const char* dims : {"bhqk", "bk", "hqk", "qk", "k", "q", "b", ""}) {
        c.mask_dims = dims;
        for (const Poison poison : {Poison::none, Poison::hidden}) {
          c.poison = poison;
          all.push_back(c);
        }
      }
      c.mask_dims = "bhqk";
      c.causal = true;
      c.left = 9;
      c.dropout = 0.2;
      all.push_back(c);
      c.causal = false;
      c.left = -1;
      c.dropout = 0.0;
    }
  }
  return all;
}

inline std::vector<AttentionCase> attention_numbers() {
  std::vector<AttentionCase> all;
  AttentionCase c;
  c.queries = {5, 40, 3};
  c.keys = {6, 38, 3};
  c.head_dim = 11;
  for (const double dropout : {0.1, 0.6}) {
    c.dropout = dropout;
    c.causal = !c.causal;
    all.push_back(c);
  }
  c.dropout = 0.0;
  for (const double scale : {1.0, -0.3, 4.0}) {
    c.scale = scale;
    all.push_back(c);
  }
  // Keys in the second block are hidden from whole blocks of queries.
  AttentionCase far;
  far.queries = far.keys = {300};
  far.heads = 1;
  far.head_dim = 5;
  far.left = 20;
  far.right = 3;
  far.dropout = 0.3;
  all.push_back(far);
  // NaN that the last query sees and the others do not.
  AttentionCase last;
  last.queries = last.keys = {4, 280};
  last.heads = 1;
  last.head_dim = 6;
  last.causal = true;
  for (const Poison poison : {Poison::last_key, Poison::last_value}) {
    last.poison = poison;
    all.push_back(last);
  }
  return all;
}

inline std::vector<AttentionCase> attention_cases() {
  std::vector<AttentionCase> all;
  for (const auto& list : {attention_sizes(), attention_visibility(), attention_numbers()}) {
    all.insert(all.end(), list.begin(), list.end());
  }
  return some_of(all, PT_TEST_EVERY);
}

// Boundaries of three sequences that are none: negative, beyond the rows, decreasing, farther apart
// than the longest is said to be. No row is in two sequences, so that no two blocks write it.
inline std::vector<Elements<int32_t>> stray_starts(const std::vector<int64_t>& lengths) {
  const int32_t rows = starts_of(lengths).back(), most = int32_t(longest(lengths));
  constexpr int32_t kLowest = std::numeric_limits<int32_t>::min();
  constexpr int32_t kHighest = std::numeric_limits<int32_t>::max();
  return {{-7, 2, 2 + most, rows + 9},
          {rows - 6, rows, 0, rows - 6},
          {0, 0, 0, rows},
          {rows + 17, rows + 60, 2 * rows + 90, 1 << 30},
          {kLowest, 0, kHighest, kLowest}};
}

// On the CPU whoever calls has checked the boundaries.
inline std::vector<AttentionCase> attention_strays() {
  AttentionCase few, many, masked;
  few.queries = masked.queries = {9, 20, 4};
  few.keys = masked.keys = {6, 33, 5};
  many.queries = {6, 80, 7};
  many.keys = {8, 70, 9};
  many.head_dim = 64;
  many.causal = true;
  masked.mask = MaskKind::boolean;
  masked.left = 11;
  masked.dropout = 0.2;
  std::vector<AttentionCase> all;
  for (AttentionCase c : {few, many, masked}) {
    const auto queries = stray_starts(c.queries), keys = stray_starts(c.keys);
    for (size_t i = 0; i < queries.size(); i++) {
      c.stray_q = queries[i];
      for (const size_t j : {i, (i + 1) % keys.size()}) {
        c.stray_k = keys[j];
        all.push_back(c);
      }
    }
  }
  return some_of(all, PT_TEST_EVERY);
}

}  // namespace pt::test
