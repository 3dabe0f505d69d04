// relu, gelu (exact) and silu, and their derivatives.
#pragma once

#include "functions.h"

namespace pt::cuda {

template <class T>
__device__ __forceinline__ T sigmoid(T x) {
  return T(1) / (T(1) + natural_exp(-x));
}

// The normal distribution function.
template <class T>
__device__ __forceinline__ T normal_cdf(T x) {
  return T(0.5) * error_complement(x * T(-0.70710678118654752440));
}
template <class T>
__device__ __forceinline__ T normal_density(T x) {
  return T(0.39894228040143267794) * natural_exp(x * x * T(-0.5));
}

template <class T, int kCount>
__device__ __forceinline__ void activate(Activation activation, T (&x)[kCount]) {
  const auto each = [&](const auto& function) {
#pragma unroll
    for (int i = 0; i < kCount; i++) x[i] = function(x[i]);
  };
  switch (activation) {
    case Activation::relu:
      return each([](T y) { return y <= T(0) ? T(0) : y; });  // NaN stays
    case Activation::gelu:
      return each([](T y) { return y * normal_cdf(y); });
    case Activation::silu:
      return each([](T y) { return y * sigmoid(y); });
    default:
      return;
  }
}

// x *= d activate(saved) / d saved. For relu `saved` may be the activated (and dropped) value: only
// its sign counts.
template <class T, int kCount>
__device__ __forceinline__ void multiply_by_slope(Activation activation, const T (&saved)[kCount],
                                                  T (&x)[kCount]) {
  const auto each = [&](const auto& slope) {
#pragma unroll
    for (int i = 0; i < kCount; i++) x[i] *= slope(saved[i]);
  };
  switch (activation) {
    case Activation::relu:
#pragma unroll
      for (int i = 0; i < kCount; i++) x[i] = saved[i] > T(0) ? x[i] : T(0);
      return;
    case Activation::gelu:
      return each([](T y) { return y * normal_density(y) + normal_cdf(y); });
    case Activation::silu:
      return each([](T y) {
        const T s = sigmoid(y);
        return s * (y * (T(1) - s) + T(1));
      });
    default:
      return;
  }
}

}  // namespace pt::cuda
