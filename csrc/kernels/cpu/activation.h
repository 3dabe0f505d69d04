// relu, gelu (exact) and silu, and their derivatives, over a vector type.
#pragma once

#include "../types.h"
#include "arithmetic.h"
#include "simd/vector.h"

PT_ISA_BEGIN
namespace {

template <class V>
PT_INLINE V exponential(V x) {
  return V::exp2(x * V::broadcast(typename V::Element(kLog2e)));
}

template <class V>
PT_INLINE V sigmoid(V x) {
  const V one = V::broadcast(1), opposite = V::zero() - x;
  V e = exponential(opposite);
  if constexpr (sizeof(typename V::Element) == 4) {
    // Beyond this float32 overflows, in the middle of exp2 already.
    e = V::select_less(V::broadcast(88.0f), opposite, V::broadcast(__builtin_inff()), e);
  }
  return one / (one + e);
}

// The normal distribution function. Lane by lane: libm's erf is accurate to the last bits, and the
// paper's activation is relu.
template <class V>
PT_INLINE V normal_cdf(V x) {
  using T = typename V::Element;
  T lanes[V::size];
  x.store(lanes);
  for (int i = 0; i < V::size; i++) {
    if constexpr (sizeof(T) == 8) {
      lanes[i] = 0.5 * __builtin_erfc(-lanes[i] * 0.70710678118654752440);
    } else {
      lanes[i] = 0.5f * __builtin_erfcf(-lanes[i] * 0.70710678118654752440f);
    }
  }
  return V::load(lanes);
}

template <class V>
PT_INLINE V normal_density(V x) {
  using T = typename V::Element;
  return V::broadcast(T(0.39894228040143267794)) * exponential(x * x * V::broadcast(T(-0.5)));
}

template <class V>
PT_INLINE V activate(Activation activation, V x) {
  switch (activation) {
    case Activation::relu:
      return V::max(V::zero(), x);
    case Activation::gelu:
      return x * normal_cdf(x);
    case Activation::silu:
      return x * sigmoid(x);
    default:
      return x;
  }
}

// d activate(x) / dx. For relu `saved` may be the activated (and dropped) value instead of x: only
// its sign counts.
template <class V>
PT_INLINE V activation_derivative(Activation activation, V saved) {
  const V one = V::broadcast(1);
  switch (activation) {
    case Activation::relu:
      return V::select_less(V::zero(), saved, one, V::zero());
    case Activation::gelu:
      return V::fma(saved, normal_density(saved), normal_cdf(saved));
    case Activation::silu: {
      const V s = sigmoid(saved);
      return s * V::fma(saved, one - s, one);
    }
    default:
      return one;
  }
}

}  // namespace
PT_ISA_END
