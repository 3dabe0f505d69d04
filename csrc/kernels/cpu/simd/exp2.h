// 2^x over a float32 vector type: a degree-5 polynomial on [-1/2, 1/2] and the exponent put in
// place by the vector type. The polynomial is minimax for the relative error (1.6e-7 in float32)
// among those that are exactly 1 at 0, so that a lone visible key has exactly the weight 1.
#pragma once

#include "../isa.h"

PT_ISA_BEGIN
namespace {

// V supplies round_to_integer, fma and multiply_by_power_of_two. 0 below 2^-126; NaN stays NaN.
template <class V>
PT_INLINE V exp2_polynomial(V x) {
  const V n = V::round_to_integer(x);
  const V f = x - n;
  V p = V::fma(V::broadcast(0.00132647273f), f, V::broadcast(0.00967151299f));
  p = V::fma(p, f, V::broadcast(0.0555073358f));
  p = V::fma(p, f, V::broadcast(0.240222424f));
  p = V::fma(p, f, V::broadcast(0.693147004f));
  p = V::fma(p, f, V::broadcast(1.0f));
  const V result = V::multiply_by_power_of_two(p, n);
  return V::select_less(x, V::broadcast(-126.0f), V::zero(), result);
}

}  // namespace
PT_ISA_END
