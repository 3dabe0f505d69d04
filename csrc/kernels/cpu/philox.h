// Dropout multipliers from Philox4x32-10 (Salmon et al. 2011): element i of a row belongs to
// counter (i / 4, c1, c2, c3) and takes its word i mod 4, so that any device draws the same bits.
#pragma once

#include "../types.h"
#include "arithmetic.h"
#include "simd/vector.h"

PT_ISA_BEGIN
namespace {

constexpr int kCounters = kVectorBytes / 8;  // one per 64-bit lane
constexpr int kWords = 4 * kCounters;
typedef uint32_t Words __attribute__((vector_size(kVectorBytes)));

// The keys of the ten rounds.
struct PhiloxKeys {
  uint64_t first[10], second[10];
  explicit PT_INLINE PhiloxKeys(uint64_t seed) {
    uint32_t k0 = uint32_t(seed), k1 = uint32_t(seed >> 32);
    for (int round = 0; round < 10; round++) {
      first[round] = k0;
      second[round] = k1;
      k0 += 0x9E3779B9u;
      k1 += 0xBB67AE85u;
    }
  }
};

// Blocks of words drawn side by side, since each is one long chain of dependent operations.
constexpr int kBlocks = kVectorBytes == 64 ? 4 : 2;

// words[b]: those of counters (c0[b] .. c0[b] + kCounters - 1, c1[b], c2, c3), in element order.
// Words travel in the low half of 64-bit lanes, where the 32 x 32 bit product is one instruction;
// the high halves hold rubbish that the product ignores.
PT_INLINE void philox_words(const PhiloxKeys& keys, const uint64_t (&c0)[kBlocks],
                            const uint32_t (&c1)[kBlocks], uint32_t c2, uint32_t c3,
                            Words (&words)[kBlocks][2]) {
  const WordLanes m0 = WordLanes{} + 0xD2511F53u, m1 = WordLanes{} + 0xCD9E8D57u;
  WordLanes lane, x0[kBlocks], x1[kBlocks], x2[kBlocks], x3[kBlocks];
  for (int i = 0; i < kCounters; i++) lane[i] = uint64_t(i);
  PT_UNROLL
  for (int b = 0; b < kBlocks; b++) {
    x0[b] = lane + c0[b];
    x1[b] = WordLanes{} + c1[b];
    x2[b] = WordLanes{} + c2;
    x3[b] = WordLanes{} + c3;
  }
  PT_UNROLL
  for (int round = 0; round < 10; round++) {
    PT_UNROLL
    for (int b = 0; b < kBlocks; b++) {
      const WordLanes p0 = multiply_low_halves(x0[b], m0), p1 = multiply_low_halves(x2[b], m1);
      x0[b] = (p1 >> 32) ^ x1[b] ^ keys.first[round];
      x2[b] = (p0 >> 32) ^ x3[b] ^ keys.second[round];
      x1[b] = p1;
      x3[b] = p0;
    }
  }
  const WordLanes low = WordLanes{} + 0xffffffffu;
  PT_UNROLL
  for (int b = 0; b < kBlocks; b++) {
    WordLanes in_order[2];
    interleave_lanes((x0[b] & low) | (x1[b] << 32), (x2[b] & low) | (x3[b] << 32), in_order[0],
                     in_order[1]);
    __builtin_memcpy(words[b], in_order, sizeof(in_order));
  }
}

// to[i] = scale where words[i] is kept, 0 elsewhere.
template <class T>
PT_INLINE void write_multipliers(const Words (&words)[2], uint32_t threshold, T scale, T* to) {
  for (int half = 0; half < 2; half++, to += kWords / 2) {
    const auto kept = words[half] >= Words{} + threshold;  // all bits of a lane, or none
    if constexpr (sizeof(T) == 4) {
      const Words bits = Words(kept) & __builtin_bit_cast(uint32_t, scale);
      __builtin_memcpy(to, &bits, sizeof(bits));
    } else {
      for (int j = 0; j < kWords / 2; j++) to[j] = kept[j] != 0 ? scale : T(0);
    }
  }
}

// keep[r * stride + i] = scale or 0 for element first + i of row c1 + r, first a multiple of 4;
// writes n rounded up to kWords of each of the rows.
template <class T>
PT_INLINE void dropout_multipliers(const Dropout& dropout, int64_t first, int64_t n, uint32_t c1,
                                   int64_t rows, uint32_t c2, uint32_t c3, T* keep,
                                   int64_t stride) {
  const PhiloxKeys keys(dropout.seed);
  int64_t row = 0, at = 0;
  while (row < rows) {
    uint64_t block_c0[kBlocks];
    uint32_t block_c1[kBlocks];
    T* to[kBlocks];
    for (int b = 0; b < kBlocks; b++) {
      block_c0[b] = uint64_t((first + at) / 4);
      block_c1[b] = c1 + uint32_t(row);
      to[b] = row < rows ? keep + row * stride + at : nullptr;
      at += kWords;
      if (at >= n) {
        at = 0;
        row++;
      }
    }
    Words words[kBlocks][2];
    philox_words(keys, block_c0, block_c1, c2, c3, words);
    for (int b = 0; b < kBlocks && to[b] != nullptr; b++) {
      write_multipliers(words[b], uint32_t(dropout.threshold), T(dropout.scale), to[b]);
    }
  }
}
// The same for one row.
template <class T>
PT_INLINE void dropout_multipliers(const Dropout& dropout, int64_t first, int64_t n, uint32_t c1,
                                   uint32_t c2, uint32_t c3, T* keep) {
  dropout_multipliers(dropout, first, n, c1, 1, c2, c3, keep, 0);
}

PT_INLINE int64_t dropout_capacity(int64_t n) { return round_up(n, kWords); }

}  // namespace
PT_ISA_END
