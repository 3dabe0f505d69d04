// Vectors on the compiler's own vector extension: every lane operation spelled once, for any
// element type and width. It serves float32 where no instruction set has a file of its own, and
// float64 everywhere.
#pragma once

#include "../../types.h"
#include "../isa.h"

PT_ISA_BEGIN
namespace {

PT_INLINE float to_float(bfloat16 x) {
  const uint32_t bits = uint32_t(x.bits) << 16;
  return __builtin_bit_cast(float, bits);
}

// Round to nearest, ties to even; NaN stays NaN.
PT_INLINE bfloat16 to_bfloat16(float x) {
  const uint32_t bits = __builtin_bit_cast(uint32_t, x);
  if (x != x) return {uint16_t((bits >> 16) | 0x40)};
  return {uint16_t((bits + 0x7fff + ((bits >> 16) & 1)) >> 16)};
}

PT_INLINE void convert(float& out, float x) { out = x; }
PT_INLINE void convert(float& out, bfloat16 x) { out = to_float(x); }
PT_INLINE void convert(bfloat16& out, float x) { out = to_bfloat16(x); }
PT_INLINE void convert(double& out, double x) { out = x; }
PT_INLINE void convert(double& out, float x) { out = x; }
PT_INLINE void convert(float& out, double x) { out = float(x); }
PT_INLINE void convert(double& out, bfloat16 x) { out = to_float(x); }
PT_INLINE void convert(bfloat16& out, double x) { out = to_bfloat16(float(x)); }

// A float32 that is rounded to bfloat16 where it is read.
struct Rounded {
  float value;
};
PT_INLINE void convert(float& out, Rounded x) { out = to_float(to_bfloat16(x.value)); }

template <class T, int Bytes>
struct PortableVector {
  using Element = T;
  typedef T Lanes __attribute__((vector_size(Bytes)));
  static constexpr int size = Bytes / int(sizeof(T));
  Lanes v;

  static PT_INLINE PortableVector zero() { return {Lanes{}}; }
  static PT_INLINE PortableVector broadcast(T x) { return {x - Lanes{}}; }

  template <class S>
  static PT_INLINE PortableVector load(const S* p) {
    return load(p, size);
  }
  static PT_INLINE PortableVector load(const T* p) {
    PortableVector r;
    __builtin_memcpy(&r.v, p, Bytes);
    return r;
  }
  // The first n lanes; the others are 0.
  template <class S>
  static PT_INLINE PortableVector load(const S* p, int n) {
    PortableVector r = zero();
    for (int i = 0; i < size; i++) {
      if (i < n) {
        T x;
        convert(x, p[i]);
        r.v[i] = x;
      }
    }
    return r;
  }
  template <class S>
  PT_INLINE void store(S* p) const {
    store(p, size);
  }
  PT_INLINE void store(T* p) const { __builtin_memcpy(p, &v, Bytes); }
  template <class S>
  PT_INLINE void store(S* p, int n) const {
    for (int i = 0; i < size; i++) {
      if (i < n) convert(p[i], v[i]);
    }
  }

  friend PT_INLINE PortableVector operator+(PortableVector a, PortableVector b) {
    return {a.v + b.v};
  }
  friend PT_INLINE PortableVector operator-(PortableVector a, PortableVector b) {
    return {a.v - b.v};
  }
  friend PT_INLINE PortableVector operator*(PortableVector a, PortableVector b) {
    return {a.v * b.v};
  }
  friend PT_INLINE PortableVector operator/(PortableVector a, PortableVector b) {
    return {a.v / b.v};
  }

  // a * b + c, rounded twice: the instruction cannot be had on every machine this serves.
  static PT_INLINE PortableVector fma(PortableVector a, PortableVector b, PortableVector c) {
    return {a.v * b.v + c.v};
  }
  // The second operand when either is NaN.
  static PT_INLINE PortableVector max(PortableVector a, PortableVector b) {
    return {a.v > b.v ? a.v : b.v};
  }
  // Lane by lane: a < b ? x : y.
  static PT_INLINE PortableVector select_less(PortableVector a, PortableVector b, PortableVector x,
                                              PortableVector y) {
    return {a.v < b.v ? x.v : y.v};
  }

  PT_INLINE T sum() const {
    T r = v[0];
    for (int i = 1; i < size; i++) r += v[i];
    return r;
  }
  PT_INLINE T maximum() const {
    T r = v[0];
    for (int i = 1; i < size; i++) r = r > v[i] ? r : v[i];
    return r;
  }

  // 2^x, 0 below the smallest normal number.
  static PT_INLINE PortableVector exp2(PortableVector x) {
    PortableVector r;
    for (int i = 0; i < size; i++) {
      if constexpr (sizeof(T) == 8) {
        r.v[i] = __builtin_exp2(x.v[i]);
      } else {
        r.v[i] = x.v[i] < T(-126) ? T(0) : __builtin_exp2f(x.v[i]);
      }
    }
    return r;
  }

  // Rows to columns of a size x size block.
  static PT_INLINE void transpose(PortableVector (&r)[size]) {
    for (int i = 0; i < size; i++) {
      for (int j = i + 1; j < size; j++) {
        const T x = r[i].v[j];
        r[i].v[j] = r[j].v[i];
        r[j].v[i] = x;
      }
    }
  }
};

}  // namespace
PT_ISA_END
