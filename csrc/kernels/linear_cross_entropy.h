// Cross-entropy of x * weight^T + bias, without ever holding all the logits.
#pragma once

#include "types.h"

namespace pt {

// Row by row, with z = x weight^T + bias and V the vocabulary:
//   losses[row] = lse(z) - (1 - s) z[target] - s mean(z), s the label smoothing (Szegedy et al.
//   2016; spread over all V as torch does), 0 where target is ignore_index.
// With gradients (any of them non-null), for the objective sum over rows of row_weight * losses:
//   grad_x, grad_weight and grad_bias are overwritten.
// Where bfloat16 is multiplied in pairs, the gradient of bfloat16 rows' logits is rounded to it
// once. Rows go through in chunks whose logits stay within a constant number of bytes.
struct LinearCrossEntropyArgs {
  int64_t rows, columns, vocabulary;
  Matrix x;       // [rows, columns]
  Matrix weight;  // [vocabulary, columns]
  Parameters bias;
  const int64_t* targets;  // [rows]
  int64_t ignore_index;
  double label_smoothing;
  const void* row_weights;  // [rows] in the arithmetic's type, or null: uniform_weight for all
  double uniform_weight;
  void* losses;  // [rows], float32, or float64 when x is
  void* grad_x;  // [rows, columns], type of x, contiguous; null: not wanted
  void* grad_weight;  // [vocabulary, columns], type of weight
  void* grad_bias;    // [vocabulary], type of bias
};

}  // namespace pt
