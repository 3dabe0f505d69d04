// Layer norm (Ba et al. 2016), alone or after a residual addition with dropout.
#pragma once

#include "types.h"

namespace pt {

// sum = residual + dropout(x) (or sum = x when there is no residual), rounded to `type`;
// out = (sum - mean) * rstd * weight + bias, with the biased variance.
// Dropout's counter is (column / 4, row, 0, 0).
struct LayerNormForwardArgs {
  int64_t rows, columns;
  Type type;  // of x, residual, out and sum
  const void* x;
  int64_t x_stride;
  const void* residual;  // null: plain layer norm, `sum` is not written
  int64_t residual_stride;
  Parameters weight, bias;  // [columns]
  double eps;
  Dropout dropout;
  void* out;   // [rows, columns]
  void* sum;   // [rows, columns]
  void* mean;  // [rows], float32, or float64 for float64 rows
  void* rstd;  // [rows]
};

// Every output is overwritten. grad_sum = the norm's input gradient (plus grad_sum_in when given);
// grad_x = dropout's share of it, written only when dropout is on. The sums over rows behind
// grad_weight and grad_bias are partial sums over chunks of a constant number of rows, in order.
struct LayerNormBackwardArgs {
  int64_t rows, columns;
  Type type;
  const void* grad_out;  // [rows, columns]
  int64_t grad_out_stride;
  const void* grad_sum_in;  // [rows, columns] or null
  int64_t grad_sum_in_stride;
  const void* sum;  // [rows, columns]: what was normalised
  int64_t sum_stride;
  Parameters weight;
  const void* mean;
  const void* rstd;
  Dropout dropout;
  void* grad_sum;
  void* grad_x;
  void* grad_weight;  // [columns], type of weight; null when not wanted
  void* grad_bias;    // [columns], type of weight; null when not wanted
};

}  // namespace pt
