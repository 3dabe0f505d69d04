// One call of attention: its operands in awkward memory, and what the definition says of each pair
// of a query and a key, in float64.
#pragma once

#include <limits>
#include <string>
#include <vector>

#include "check.h"
#include "philox.h"
#include "values.h"

namespace pt::test {

// What hidden slots hold, or what slots hold that some see and others do not.
enum class Poison { none, hidden, last_key, last_value };

struct AttentionCase {
  std::vector<int64_t> queries, keys;  // lengths
  int64_t heads = 2, head_dim = 16;
  bool dense = false, causal = false;
  int64_t left = -1, right = -1;
  MaskKind mask = MaskKind::none;
  std::string mask_dims = "bhqk";  // it broadcasts over the others
  double dropout = 0.0;
  Poison poison = Poison::none;
  double scale = 0.0;  // 0: 1 / sqrt(head_dim)
  bool by_heads = false;  // heads lie farther apart than rows
  Elements<int32_t> stray_q = {}, stray_k = {};  // cu_seqlens that are not what lengths say

  std::string name() const {
    std::string s = "queries";
    for (const int64_t n : queries) s += " " + std::to_string(n);
    s += " keys";
    for (const int64_t n : keys) s += " " + std::to_string(n);
    s += " heads " + std::to_string(heads) + "x" + std::to_string(head_dim);
    s += std::string(dense ? " dense" : "") + (causal ? " causal" : "");
    if (left >= 0 || right >= 0) {
      s += " window " + std::to_string(left) + "," + std::to_string(right);
    }
    if (mask != MaskKind::none) {
      s += (mask == MaskKind::boolean ? " boolean " : " additive ") + mask_dims;
    }
    s += std::string(dropout > 0 ? " dropout" : "") + (poison != Poison::none ? " poison" : "");
    for (const auto& starts : {stray_q, stray_k}) {
      if (!starts.empty()) s += " strays";
      for (const int32_t start : starts) s += " " + std::to_string(start);
    }
    return s + (by_heads ? " by heads" : "");
  }
};

inline Elements<int32_t> starts_of(const std::vector<int64_t>& lengths) {
  Elements<int32_t> starts = {0};
  for (const int64_t n : lengths) starts.push_back(int32_t(starts.back() + n));
  starts.shrink_to_fit();
  return starts;
}

inline int64_t longest(const std::vector<int64_t>& lengths) {
  int64_t most = 0;
  for (const int64_t n : lengths) most = n > most ? n : most;
  return most;
}

// Rows of one operand; the gaps between them hold 7.
class Operand {
 public:
  Operand(Type type, const AttentionCase& c, const std::vector<int64_t>& lengths)
      : lengths_(lengths), starts_(starts_of(lengths)), heads_(c.heads), head_dim_(c.head_dim),
        dense_(c.dense),
        row_(c.by_heads ? spaced(c.head_dim, 1) : spaced(c.heads * spaced(c.head_dim, 1), 2)),
        head_(c.by_heads ? (starts_.back() + 1) * row_ : spaced(c.head_dim, 1)),
        batch_(spaced(longest(lengths) * row_, 3)), values_(type, extent()) {
    values_.fill(7.0);
  }

  int64_t index(int64_t b, int64_t i, int64_t h, int64_t d) const {
    const int64_t row = dense_ ? b * batch_ + i * row_ : (starts_[size_t(b)] + i) * row_;
    return row + h * head_ + d;
  }
  double at(int64_t b, int64_t i, int64_t h, int64_t d) const { return values_[index(b, i, h, d)]; }
  void set(int64_t b, int64_t i, int64_t h, int64_t d, double x) {
    values_.set(index(b, i, h, d), x);
  }
  void set_row(int64_t b, int64_t i, int64_t h, double x) {
    for (int64_t d = 0; d < head_dim_; d++) set(b, i, h, d, x);
  }
  template <class Body>
  void for_each(const Body& body) const {
    for (size_t b = 0; b < lengths_.size(); b++) {
      for (int64_t i = 0; i < lengths_[b]; i++) {
        for (int64_t h = 0; h < heads_; h++) {
          for (int64_t d = 0; d < head_dim_; d++) body(int64_t(b), i, h, d);
        }
      }
    }
  }
  void randomise(Random& random) {
    for_each([&](int64_t b, int64_t i, int64_t h, int64_t d) { set(b, i, h, d, random.normal()); });
  }
  void check_gaps(Report& report) const {
    std::vector<char> ours(size_t(values_.size()), 0);
    for_each(
        [&](int64_t b, int64_t i, int64_t h, int64_t d) { ours[size_t(index(b, i, h, d))] = 1; });
    for (int64_t i = 0; i < values_.size(); i++) {
      if (ours[size_t(i)] == 0) report.compare("gap", i, values_[i], 7.0, 0.0);
    }
  }
  HeadRows view() { return {values_.data(), dense_ ? batch_ : 0, row_, head_}; }
  const Values& values() const { return values_; }
  const int32_t* starts() const { return dense_ ? nullptr : starts_.data(); }
  int64_t rows() const { return starts_.back(); }

 private:
  int64_t extent() const {
    int64_t end = 0;
    for_each([&](int64_t b, int64_t i, int64_t h, int64_t d) {
      const int64_t at = index(b, i, h, d) + 1;
      end = at > end ? at : end;
    });
    return end;
  }

  const std::vector<int64_t> lengths_;
  const Elements<int32_t> starts_;
  const int64_t heads_, head_dim_;
  const bool dense_;
  const int64_t row_, head_, batch_;
  Values values_;
};

// A boolean or additive mask over [batch, heads, max_q, max_k], broadcast where a dimension is
// missing. The additive one lies transposed in memory.
class Mask {
 public:
  Mask(Type type, const AttentionCase& c, Random& random)
      : kind_(c.mask), b_(has(c, 'b') ? int64_t(c.queries.size()) : 1),
        h_(has(c, 'h') ? c.heads : 1), q_(has(c, 'q') ? longest(c.queries) : 1),
        k_(has(c, 'k') ? longest(c.keys) : 1),
        size_(kind_ == MaskKind::none ? 0 : b_ * h_ * q_ * k_), shown_(size_t(size_)),
        added_(arithmetic_of(type), size_) {
    for (int64_t i = 0; i < size_; i++) {
      const double x = random.normal();
      shown_[size_t(i)] = x > 0 ? 1 : 0;
      added_.set(i, x > 0.7 ? -std::numeric_limits<double>::infinity() : x);
    }
  }

  double added(int64_t b, int64_t h, int64_t i, int64_t j) const {
    return kind_ == MaskKind::additive ? added_[index(b, h, i, j)] : 0;
  }
  bool shows(int64_t b, int64_t h, int64_t i, int64_t j) const {
    if (kind_ == MaskKind::none) return true;
    if (kind_ == MaskKind::boolean) return shown_[size_t(index(b, h, i, j))] != 0;
    return !std::isinf(added(b, h, i, j));
  }
  void enter(Visibility& v) const {
    v.kind = kind_;
    v.mask = kind_ == MaskKind::boolean ? static_cast<const void*>(shown_.data()) : added_.data();
    v.mask_batch = b_ > 1 ? h_ * q_ * k_ : 0;
    v.mask_head = h_ > 1 ? q_ * k_ : 0;
    v.mask_query = q_ > 1 ? query_step() : 0;
    v.mask_key = k_ > 1 ? key_step() : 0;
  }

 private:
  static bool has(const AttentionCase& c, char dim) {
    return c.mask_dims.find(dim) != std::string::npos;
  }
  int64_t query_step() const { return kind_ == MaskKind::additive ? 1 : k_; }
  int64_t key_step() const { return kind_ == MaskKind::additive ? q_ : 1; }
  int64_t index(int64_t b, int64_t h, int64_t i, int64_t j) const {
    return (b % b_ * h_ + h % h_) * q_ * k_ + i % q_ * query_step() + j % k_ * key_step();
  }

  const MaskKind kind_;
  const int64_t b_, h_, q_, k_, size_;
  Elements<uint8_t> shown_;
  Values added_;
};

// One query of one head: the weights of its keys before dropout, 0 where hidden.
struct Row {
  std::vector<bool> seen;
  std::vector<double> p, keep;
  bool fully_masked = true;
  double largest = -std::numeric_limits<double>::infinity();  // score, divided by unit()
  double inverse_sum = 0;
  double size = 0;  // of the terms of its scores: rounding errors of log p are relative to it
};

// The operands that attention and its weights share.
class AttentionCall {
 public:
  AttentionCall(const AttentionCase& c, Type type, uint64_t seed)
      : case_(c), type_(type), random_(seed), q(type, c, c.queries), k(type, c, c.keys),
        v(type, c, c.keys), mask(type, c, random_), dropout(dropout_of(c.dropout, 0x1122334455)) {
    for (Operand* operand : {&q, &k, &v}) operand->randomise(random_);
    if (c.poison == Poison::hidden) hide_poison();
    const int64_t last = int64_t(c.keys.size()) - 1;
    Operand& part = c.poison == Poison::last_key ? k : v;
    if (c.poison == Poison::last_key || c.poison == Poison::last_value) {
      part.set_row(last, c.keys.back() - 1, 0, std::nan(""));
    }
  }

  AttentionShape shape() const {
    AttentionShape s{};
    s.type = type_;
    s.batch = int64_t(case_.queries.size());
    s.heads = case_.heads;
    s.head_dim = case_.head_dim;
    s.cu_seqlens_q = case_.stray_q.empty() ? q.starts() : case_.stray_q.data();
    s.cu_seqlens_k = case_.stray_k.empty() ? k.starts() : case_.stray_k.data();
    s.length_q = longest(case_.queries);
    s.length_k = longest(case_.keys);
    s.rows_q = q.rows();
    s.rows_k = k.rows();
    s.scale = scale();
    s.visibility.causal = case_.causal;
    s.visibility.window_left = case_.left;
    s.visibility.window_right = case_.right;
    mask.enter(s.visibility);
    s.dropout = dropout;
    return s;
  }

  bool visible(int64_t b, int64_t h, int64_t i, int64_t j) const {
    const int64_t ahead = j - (i + case_.keys[size_t(b)] - case_.queries[size_t(b)]);
    if (case_.causal && ahead > 0) return false;
    if (case_.left >= 0 && ahead < -case_.left) return false;
    if (case_.right >= 0 && ahead > case_.right) return false;
    return mask.shows(b, h, i, j);
  }

  Row row(int64_t b, int64_t h, int64_t i) const {
    Row row;
    std::vector<double> scores;
    double top = -std::numeric_limits<double>::infinity(), sum = 0;
    for (int64_t j = 0; j < case_.keys[size_t(b)]; j++) {
      row.seen.push_back(visible(b, h, i, j));
      row.keep.push_back(multiplier(dropout, j, i, b * case_.heads + h, 1));
      Sum score;
      if (row.seen.back()) {
        for (int64_t d = 0; d < case_.head_dim; d++) {
          score.add(scale() * q.at(b, i, h, d) * k.at(b, j, h, d));
        }
        score.add(mask.added(b, h, i, j));
        top = std::fmax(top, score.value);
        row.size = std::fmax(row.size, score.magnitude);
        row.fully_masked = false;
      }
      scores.push_back(score.value);
    }
    for (size_t j = 0; j < scores.size(); j++) {
      row.p.push_back(row.seen[j] ? std::exp(scores[j] - top) : 0);
      sum += row.p[j];
    }
    if (row.fully_masked) return row;
    for (size_t j = 0; j < scores.size(); j++) {
      if (row.seen[j]) row.p[j] /= sum;
    }
    row.largest = top / unit();
    row.inverse_sum = 1 / sum;
    return row;
  }

  template <class Body>
  void for_each_row(const Body& body) const {
    for (size_t b = 0; b < case_.queries.size(); b++) {
      for (int64_t h = 0; h < case_.heads; h++) {
        for (int64_t i = 0; i < case_.queries[b]; i++) body(int64_t(b), h, i);
      }
    }
  }

  double scale() const {
    return case_.scale != 0 ? case_.scale : 1 / std::sqrt(double(case_.head_dim));
  }
  // Of the scores in statistics.
  double unit() const { return scale() > 1e-20 ? scale() : 1.0; }
  // Of the longest sum.
  double length() const {
    return double(longest(case_.keys) + longest(case_.queries) + case_.head_dim);
  }
  const AttentionCase& attention_case() const { return case_; }
  Type type() const { return type_; }
  Random& random() { return random_; }

 private:
  // NaN and infinity in every key that nobody sees and in every query that sees nothing.
  void hide_poison() {
    const double poisons[] = {std::nan(""), std::numeric_limits<double>::infinity(),
                              -std::numeric_limits<double>::infinity()};
    for (size_t b = 0; b < case_.queries.size(); b++) {
      for (int64_t h = 0; h < case_.heads; h++) {
        std::vector<char> seen(size_t(case_.keys[b]), 0);
        for (int64_t i = 0; i < case_.queries[b]; i++) {
          bool fully_masked = true;
          for (int64_t j = 0; j < case_.keys[b]; j++) {
            if (!visible(int64_t(b), h, i, j)) continue;
            seen[size_t(j)] = 1;
            fully_masked = false;
          }
          if (fully_masked) q.set_row(int64_t(b), i, h, poisons[i % 3]);
        }
        for (int64_t j = 0; j < case_.keys[b]; j++) {
          if (seen[size_t(j)] != 0) continue;
          k.set_row(int64_t(b), j, h, poisons[j % 3]);
          v.set_row(int64_t(b), j, h, poisons[(j + 1) % 3]);
        }
      }
    }
  }

  const AttentionCase case_;
  const Type type_;
  Random random_;

 public:
  Operand q, k, v;
  const Mask mask;
  const Dropout dropout;
};

}  // namespace pt::test
