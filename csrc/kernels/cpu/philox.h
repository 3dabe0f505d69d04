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

// The words of counters (c0 .. c0 + kCounters - 1, c1, c2, c3), in element order. Words travel in
// the low half of 64-bit lanes, where the 32 x 32 bit product is one instruction; the high halves
// hold rubbish that the product ignores.
PT_INLINE void philox_words(uint64_t seed, uint64_t c0, uint32_t c1, uint32_t c2, uint32_t c3,
                            uint32_t* words) {
  const WordLanes m0 = WordLanes{} + 0xD2511F53u, m1 = WordLanes{} + 0xCD9E8D57u;
  uint32_t k0 = uint32_t(seed), k1 = uint32_t(seed >> 32);
  WordLanes x0;
  for (int i = 0; i < kCounters; i++) x0[i] = c0 + uint64_t(i);
  WordLanes x1 = WordLanes{} + c1, x2 = WordLanes{} + c2, x3 = WordLanes{} + c3;
  for (int round = 0; round < 10; round++) {
    const WordLanes p0 = multiply_low_halves(x0, m0), p1 = multiply_low_halves(x2, m1);
    const WordLanes y0 = (p1 >> 32) ^ x1 ^ uint64_t(k0);
    const WordLanes y2 = (p0 >> 32) ^ x3 ^ uint64_t(k1);
    x1 = p1;
    x3 = p0;
    x0 = y0;
    x2 = y2;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  const WordLanes low = WordLanes{} + 0xffffffffu;
  const WordLanes front = (x0 & low) | (x1 << 32), back = (x2 & low) | (x3 << 32);
  uint64_t pairs[2 * kCounters];
  for (int i = 0; i < kCounters; i++) {
    pairs[2 * i] = front[i];
    pairs[2 * i + 1] = back[i];
  }
  __builtin_memcpy(words, pairs, sizeof(pairs));
}

// keep[i] = scale or 0 for elements first + i of a row, first a multiple of 4; writes n rounded up
// to kWords.
template <class T>
PT_INLINE void dropout_multipliers(const Dropout& dropout, int64_t first, int64_t n, uint32_t c1,
                                   uint32_t c2, uint32_t c3, T* keep) {
  const uint32_t threshold = uint32_t(dropout.threshold);
  const T scale = T(dropout.scale);
  for (int64_t i = 0; i < n; i += kWords) {
    uint32_t words[kWords];
    philox_words(dropout.seed, uint64_t((first + i) / 4), c1, c2, c3, words);
    for (int j = 0; j < kWords; j++) keep[i + j] = words[j] >= threshold ? scale : T(0);
  }
}

PT_INLINE int64_t dropout_capacity(int64_t n) { return round_up(n, kWords); }

}  // namespace
PT_ISA_END
