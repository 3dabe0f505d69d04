// out[m, n] = epilogue(a[m, k] * b[k, n]), the one matrix product behind linear, feed-forward and
// cross-entropy, forward and backward.
//
// Arithmetic is float32 (operands float32 or bfloat16) or float64 (every operand float64). Element
// (i, j) is one chain of multiply-adds over k in ascending order, fused where the instruction set
// has them, whatever the blocking, the thread count and the other rows. Where both operands are
// bfloat16 and the processor multiplies pairs of those, the chain takes two products at a time.
//
// On CUDA devices there is float16 as well, operands that are both of one type of 16 bits are
// multiplied 16 products at a time, and the long sums of a weight's gradient come in parts.
#pragma once

#include "types.h"

namespace pt {

// What happens to a finished element, in this order.
struct Epilogue {
  Parameters bias;                            // [n], added
  Activation activation = Activation::none;   // applied after the bias
  void* preactivation = nullptr;              // [m, n], type and stride of out: value before it
  Dropout dropout;                            // counter (column / 4, row, 0, 0)
  // Backward through activation and dropout instead: the element is the gradient of the activated
  // and dropped value, `saved` what the forward pass kept (relu: the activated and dropped value,
  // whose sign tells both; gelu and silu: the value before the activation), and the result the
  // gradient before the activation.
  const void* saved = nullptr;  // [m, n], type and stride of out
};

struct MatmulArgs {
  int64_t m, n, k;
  Matrix a;  // [m, k]
  Matrix b;  // [k, n]
  void* out;  // [m, n], unit column stride
  Type out_type;
  int64_t out_stride;
  bool accumulate = false;  // out += instead of out =, in the arithmetic's own type, no epilogue
  Epilogue epilogue;
};

}  // namespace pt
