// relu, gelu (exact) and silu of one number, as csrc/kernels/cpu/activation.h has them. NaN stays.
#pragma once

#include "functions.h"

namespace pt::cuda {

template <class T>
__device__ __forceinline__ T activate(Activation activation, T x) {
  switch (activation) {
    case Activation::relu:
      return x < T(0) ? T(0) : x;
    case Activation::gelu:
      return x * (T(0.5) * error_complement(x * T(-0.70710678118654752440)));
    case Activation::silu:
      // Where the exponential overflows, the quotient is 0.
      return x * (T(1) / (T(1) + natural_exp(-x)));
    default:
      return x;
  }
}

}  // namespace pt::cuda
