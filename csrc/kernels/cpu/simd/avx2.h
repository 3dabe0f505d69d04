// float32 vectors of AVX2 with FMA.
#pragma once

#include <immintrin.h>

#include "exp2.h"
#include "portable.h"

PT_ISA_BEGIN
namespace {

struct FloatVector {
  using Element = float;
  static constexpr int size = 8;
  __m256 v;

  static PT_INLINE FloatVector zero() { return {_mm256_setzero_ps()}; }
  static PT_INLINE FloatVector broadcast(float x) { return {_mm256_set1_ps(x)}; }

  static PT_INLINE __m256i first(int n) {
    const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), lane);
  }

  static PT_INLINE FloatVector load(const float* p) { return {_mm256_loadu_ps(p)}; }
  static PT_INLINE FloatVector load(const float* p, int n) {
    return {_mm256_maskload_ps(p, first(n))};
  }
  static PT_INLINE FloatVector load(const bfloat16* p) {
    const __m128i bits = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    return {_mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16))};
  }
  static PT_INLINE FloatVector load(const bfloat16* p, int n) {
    bfloat16 full[size] = {};
    for (int i = 0; i < n; i++) full[i] = p[i];
    return load(full);
  }
  PT_INLINE void store(float* p) const { _mm256_storeu_ps(p, v); }
  PT_INLINE void store(float* p, int n) const { _mm256_maskstore_ps(p, first(n), v); }
  PT_INLINE void store(bfloat16* p) const {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), narrow());
  }
  PT_INLINE void store(bfloat16* p, int n) const {
    bfloat16 full[size];
    store(full);
    for (int i = 0; i < n; i++) p[i] = full[i];
  }

  friend PT_INLINE FloatVector operator+(FloatVector a, FloatVector b) {
    return {_mm256_add_ps(a.v, b.v)};
  }
  friend PT_INLINE FloatVector operator-(FloatVector a, FloatVector b) {
    return {_mm256_sub_ps(a.v, b.v)};
  }
  friend PT_INLINE FloatVector operator*(FloatVector a, FloatVector b) {
    return {_mm256_mul_ps(a.v, b.v)};
  }
  friend PT_INLINE FloatVector operator/(FloatVector a, FloatVector b) {
    return {_mm256_div_ps(a.v, b.v)};
  }
  static PT_INLINE FloatVector fma(FloatVector a, FloatVector b, FloatVector c) {
    return {_mm256_fmadd_ps(a.v, b.v, c.v)};
  }
  static PT_INLINE FloatVector max(FloatVector a, FloatVector b) {
    return {_mm256_max_ps(a.v, b.v)};
  }
  static PT_INLINE FloatVector select_less(FloatVector a, FloatVector b, FloatVector x,
                                           FloatVector y) {
    return {_mm256_blendv_ps(y.v, x.v, _mm256_cmp_ps(a.v, b.v, _CMP_LT_OQ))};
  }
  PT_INLINE float sum() const {
    const __m128 half = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    const __m128 pair = _mm_add_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_add_ss(pair, _mm_movehdup_ps(pair)));
  }
  PT_INLINE float maximum() const {
    const __m128 half = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    const __m128 pair = _mm_max_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_max_ss(pair, _mm_movehdup_ps(pair)));
  }

  static PT_INLINE FloatVector round_to_integer(FloatVector x) {
    return {_mm256_round_ps(x.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
  }
  // In two steps, since 2^128 is no float32 while the product may be one.
  static PT_INLINE FloatVector multiply_by_power_of_two(FloatVector x, FloatVector n) {
    const __m256 low = _mm256_set1_ps(-252.0f), high = _mm256_set1_ps(254.0f);
    const __m256i whole = _mm256_cvtps_epi32(_mm256_min_ps(_mm256_max_ps(n.v, low), high));
    const __m256i half = _mm256_srai_epi32(whole, 1);
    const __m256i rest = _mm256_sub_epi32(whole, half);
    return {_mm256_mul_ps(_mm256_mul_ps(x.v, power_of_two(half)), power_of_two(rest))};
  }
  static PT_INLINE FloatVector exp2(FloatVector x) { return exp2_polynomial(x); }

  static PT_INLINE void transpose(FloatVector (&r)[8]) {
    __m256 t[8];
    PT_UNROLL
    for (int i = 0; i < 4; i++) {
      t[2 * i] = _mm256_unpacklo_ps(r[2 * i].v, r[2 * i + 1].v);
      t[2 * i + 1] = _mm256_unpackhi_ps(r[2 * i].v, r[2 * i + 1].v);
    }
    __m256 u[8];
    PT_UNROLL
    for (int i = 0; i < 2; i++) {
      u[4 * i] = _mm256_shuffle_ps(t[4 * i], t[4 * i + 2], 0x44);
      u[4 * i + 1] = _mm256_shuffle_ps(t[4 * i], t[4 * i + 2], 0xee);
      u[4 * i + 2] = _mm256_shuffle_ps(t[4 * i + 1], t[4 * i + 3], 0x44);
      u[4 * i + 3] = _mm256_shuffle_ps(t[4 * i + 1], t[4 * i + 3], 0xee);
    }
    PT_UNROLL
    for (int i = 0; i < 4; i++) {
      r[i].v = _mm256_permute2f128_ps(u[i], u[4 + i], 0x20);
      r[4 + i].v = _mm256_permute2f128_ps(u[i], u[4 + i], 0x31);
    }
  }

 private:
  static PT_INLINE __m256 power_of_two(__m256i n) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(n, _mm256_set1_epi32(127)), 23));
  }
  PT_INLINE __m128i narrow() const {
    const __m256i bits = _mm256_castps_si256(v);
    const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
    const __m256i rounded =
        _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff)));
    const __m256i quiet = _mm256_or_si256(bits, _mm256_set1_epi32(0x400000));
    const __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(v, v, _CMP_UNORD_Q));
    const __m256i kept = _mm256_srli_epi32(_mm256_blendv_epi8(rounded, quiet, nan), 16);
    return _mm_packus_epi32(_mm256_castsi256_si128(kept), _mm256_extracti128_si256(kept, 1));
  }
};

// 6 x 2 accumulators, 2 vectors of b and 1 of a: 15 of the 16 registers.
constexpr int kFloatTileRows = 6;
constexpr int kVectorBytes = 32;

typedef uint64_t WordLanes __attribute__((vector_size(32)));
// Product of the low 32 bits of each lane.
PT_INLINE WordLanes multiply_low_halves(WordLanes a, WordLanes b) {
  return WordLanes(_mm256_mul_epu32(__m256i(a), __m256i(b)));
}

// {a0, b0, a1, b1, ...}, in two vectors.
PT_INLINE void interleave_lanes(WordLanes a, WordLanes b, WordLanes& first, WordLanes& second) {
  const __m256i low = _mm256_unpacklo_epi64(__m256i(a), __m256i(b));
  const __m256i high = _mm256_unpackhi_epi64(__m256i(a), __m256i(b));
  first = WordLanes(_mm256_permute2x128_si256(low, high, 0x20));
  second = WordLanes(_mm256_permute2x128_si256(low, high, 0x31));
}

}  // namespace
PT_ISA_END
