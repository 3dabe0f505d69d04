// Products of pairs of bfloat16 numbers (AVX512_BF16): a lane holds two consecutive elements along
// the depth of a product as the bits of one float, and one instruction adds both their products to
// a float32 lane. Numbers below the smallest normal one count as 0 in it.
#pragma once

#include "avx512.h"

PT_ISA_BEGIN
namespace {

struct Pairs {
  using Word = float;
  using Element = bfloat16;
  using V = FloatVector;
  static constexpr int kDepth = 2;

  static PT_INLINE V multiply_add(V a, V b, V c) {
    return {_mm512_dpbf16_ps(c.v, __m512bh(a.v), __m512bh(b.v))};
  }

  // 16 words of one row: elements p[0 .. left), zero beyond.
  static PT_INLINE V along_depth(const bfloat16* p, int64_t left) {
    if (left >= 32) return {_mm512_loadu_ps(p)};
    return {_mm512_castsi512_ps(_mm512_maskz_loadu_epi16(__mmask32((1u << left) - 1), p))};
  }
  static PT_INLINE V along_depth(const Rounded* p, int64_t left) {
    const float* x = &p->value;
    const V low = left >= 16 ? V::load(x) : V::load(x, int(left));
    const V high = left >= 32  ? V::load(x + 16)
                   : left > 16 ? V::load(x + 16, int(left - 16))
                               : V::zero();
    return {__m512(_mm512_cvtne2ps_pbh(high.v, low.v))};
  }

  // One word of each of 16 columns: from row p and, unless `last`, the row a stride below it.
  template <class S>
  static PT_INLINE V across_depth(const S* p, int64_t stride, bool last, int64_t left) {
    const __m512i even = _mm512_cvtepu16_epi32(narrow(p, left));
    if (last) return {_mm512_castsi512_ps(even)};
    const __m512i odd = _mm512_cvtepu16_epi32(narrow(p + stride, left));
    return {_mm512_castsi512_ps(_mm512_or_si512(even, _mm512_slli_epi32(odd, 16)))};
  }
  // The same from rows in registers, rounded.
  static PT_INLINE V across_depth(const V (&rows)[2]) {
    const __m512i halves = __m512i(_mm512_cvtne2ps_pbh(rows[1].v, rows[0].v));
    const __m512i low = _mm512_cvtepu16_epi32(_mm512_castsi512_si256(halves));
    const __m512i high = _mm512_cvtepu16_epi32(_mm512_extracti64x4_epi64(halves, 1));
    return {_mm512_castsi512_ps(_mm512_or_si512(low, _mm512_slli_epi32(high, 16)))};
  }
  // Words without the elements that are not kept.
  static PT_INLINE V only(V words, const bool (&kept)[2]) {
    const uint32_t mask = (kept[0] ? 0xffffu : 0u) | (kept[1] ? 0xffff0000u : 0u);
    const __m512i bits = _mm512_castps_si512(words.v);
    return {_mm512_castsi512_ps(_mm512_and_si512(bits, _mm512_set1_epi32(int(mask))))};
  }

 private:
  static PT_INLINE __m256i narrow(const bfloat16* p, int64_t left) {
    if (left >= 16) return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
    return _mm256_maskz_loadu_epi16(V::first(int(left)), p);
  }
  static PT_INLINE __m256i narrow(const Rounded* p, int64_t left) {
    const float* x = &p->value;
    return __m256i(_mm512_cvtneps_pbh((left >= 16 ? V::load(x) : V::load(x, int(left))).v));
  }
};

}  // namespace
PT_ISA_END
