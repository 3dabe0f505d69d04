// float32 vectors of AVX-512 (F, BW, DQ, VL), rounded to bfloat16 by AVX512_BF16 where it is there.
#pragma once

#include <immintrin.h>

#include "exp2.h"
#include "portable.h"

PT_ISA_BEGIN
namespace {

struct FloatVector {
  using Element = float;
  static constexpr int size = 16;
  __m512 v;

  static PT_INLINE FloatVector zero() { return {_mm512_setzero_ps()}; }
  static PT_INLINE FloatVector broadcast(float x) { return {_mm512_set1_ps(x)}; }

  static PT_INLINE __mmask16 first(int n) { return __mmask16((1u << n) - 1); }

  static PT_INLINE FloatVector load(const float* p) { return {_mm512_loadu_ps(p)}; }
  static PT_INLINE FloatVector load(const float* p, int n) {
    return {_mm512_maskz_loadu_ps(first(n), p)};
  }
  static PT_INLINE FloatVector load(const bfloat16* p) {
    return widen(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
  }
  static PT_INLINE FloatVector load(const bfloat16* p, int n) {
    return widen(_mm256_maskz_loadu_epi16(first(n), p));
  }
  PT_INLINE void store(float* p) const { _mm512_storeu_ps(p, v); }
  PT_INLINE void store(float* p, int n) const { _mm512_mask_storeu_ps(p, first(n), v); }
  PT_INLINE void store(bfloat16* p) const {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), narrow());
  }
  PT_INLINE void store(bfloat16* p, int n) const {
    _mm256_mask_storeu_epi16(p, first(n), narrow());
  }

  friend PT_INLINE FloatVector operator+(FloatVector a, FloatVector b) {
    return {_mm512_add_ps(a.v, b.v)};
  }
  friend PT_INLINE FloatVector operator-(FloatVector a, FloatVector b) {
    return {_mm512_sub_ps(a.v, b.v)};
  }
  friend PT_INLINE FloatVector operator*(FloatVector a, FloatVector b) {
    return {_mm512_mul_ps(a.v, b.v)};
  }
  friend PT_INLINE FloatVector operator/(FloatVector a, FloatVector b) {
    return {_mm512_div_ps(a.v, b.v)};
  }
  static PT_INLINE FloatVector fma(FloatVector a, FloatVector b, FloatVector c) {
    return {_mm512_fmadd_ps(a.v, b.v, c.v)};
  }
  static PT_INLINE FloatVector max(FloatVector a, FloatVector b) {
    return {_mm512_max_ps(a.v, b.v)};
  }
  static PT_INLINE FloatVector select_less(FloatVector a, FloatVector b, FloatVector x,
                                           FloatVector y) {
    return {_mm512_mask_blend_ps(_mm512_cmp_ps_mask(a.v, b.v, _CMP_LT_OQ), y.v, x.v)};
  }
  PT_INLINE float sum() const { return _mm512_reduce_add_ps(v); }
  PT_INLINE float maximum() const { return _mm512_reduce_max_ps(v); }

  static PT_INLINE FloatVector round_to_integer(FloatVector x) {
    return {_mm512_roundscale_ps(x.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
  }
  static PT_INLINE FloatVector multiply_by_power_of_two(FloatVector x, FloatVector n) {
    return {_mm512_scalef_ps(x.v, n.v)};
  }
  static PT_INLINE FloatVector exp2(FloatVector x) { return exp2_polynomial(x); }

  static PT_INLINE void transpose(FloatVector (&r)[16]) {
    __m512 t[16];
    // Pairs of rows, then pairs of pairs: 4x4 blocks within the 128-bit quarters.
    PT_UNROLL
    for (int i = 0; i < 8; i++) {
      t[2 * i] = _mm512_unpacklo_ps(r[2 * i].v, r[2 * i + 1].v);
      t[2 * i + 1] = _mm512_unpackhi_ps(r[2 * i].v, r[2 * i + 1].v);
    }
    __m512 u[16];
    PT_UNROLL
    for (int i = 0; i < 4; i++) {
      const __m512d a = _mm512_castps_pd(t[4 * i]), b = _mm512_castps_pd(t[4 * i + 1]);
      const __m512d c = _mm512_castps_pd(t[4 * i + 2]), d = _mm512_castps_pd(t[4 * i + 3]);
      u[4 * i] = _mm512_castpd_ps(_mm512_unpacklo_pd(a, c));
      u[4 * i + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(a, c));
      u[4 * i + 2] = _mm512_castpd_ps(_mm512_unpacklo_pd(b, d));
      u[4 * i + 3] = _mm512_castpd_ps(_mm512_unpackhi_pd(b, d));
    }
    // Then the quarters themselves, as a 4x4 transpose of 128-bit blocks.
    PT_UNROLL
    for (int i = 0; i < 4; i++) {
      const __m512 lo = _mm512_shuffle_f32x4(u[i], u[4 + i], 0x88);
      const __m512 hi = _mm512_shuffle_f32x4(u[i], u[4 + i], 0xdd);
      const __m512 lo2 = _mm512_shuffle_f32x4(u[8 + i], u[12 + i], 0x88);
      const __m512 hi2 = _mm512_shuffle_f32x4(u[8 + i], u[12 + i], 0xdd);
      r[i].v = _mm512_shuffle_f32x4(lo, lo2, 0x88);
      r[8 + i].v = _mm512_shuffle_f32x4(lo, lo2, 0xdd);
      r[4 + i].v = _mm512_shuffle_f32x4(hi, hi2, 0x88);
      r[12 + i].v = _mm512_shuffle_f32x4(hi, hi2, 0xdd);
    }
  }

 private:
  static PT_INLINE FloatVector widen(__m256i bits) {
    return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16))};
  }
#ifdef __AVX512BF16__
  PT_INLINE __m256i narrow() const { return __m256i(_mm512_cvtneps_pbh(v)); }
#else
  PT_INLINE __m256i narrow() const {
    const __m512i bits = _mm512_castps_si512(v);
    const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
    const __m512i rounded =
        _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
    const __m512i quiet = _mm512_or_si512(bits, _mm512_set1_epi32(0x400000));
    const __mmask16 nan = _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q);
    const __m512i kept = _mm512_mask_blend_epi32(nan, rounded, quiet);
    return _mm512_cvtepi32_epi16(_mm512_srli_epi32(kept, 16));
  }
#endif
};

// 14 x 2 accumulators, 2 vectors of b and 1 of a: 31 of the 32 registers.
constexpr int kFloatTileRows = 14;
constexpr int kVectorBytes = 64;

typedef uint64_t WordLanes __attribute__((vector_size(64)));
// Product of the low 32 bits of each lane.
PT_INLINE WordLanes multiply_low_halves(WordLanes a, WordLanes b) {
  return WordLanes(_mm512_mul_epu32(__m512i(a), __m512i(b)));
}

// {a0, b0, a1, b1, ...}, in two vectors.
PT_INLINE void interleave_lanes(WordLanes a, WordLanes b, WordLanes& first, WordLanes& second) {
  const __m512i low = _mm512_setr_epi64(0, 8, 1, 9, 2, 10, 3, 11);
  const __m512i high = _mm512_setr_epi64(4, 12, 5, 13, 6, 14, 7, 15);
  first = WordLanes(_mm512_permutex2var_epi64(__m512i(a), low, __m512i(b)));
  second = WordLanes(_mm512_permutex2var_epi64(__m512i(a), high, __m512i(b)));
}

}  // namespace
PT_ISA_END
