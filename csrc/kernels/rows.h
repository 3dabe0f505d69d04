// Contracts of the small row-wise helpers: column sums, the activation on its own, sums of squares
// and the best log-probabilities.
#pragma once

#include "types.h"

namespace pt {

// out[n] = sum over m of x[m, n]: partial sums over chunks of a constant number of rows, in a
// fixed order.
struct ColumnSumsArgs {
  int64_t m, n;
  const void* x;
  Type type;
  int64_t row_stride;
  void* out;
  Type out_type;
  bool accumulate = false;  // out += instead of out =
};

// out[m, n] = dropout(activation(x[m, n])); both contiguous, counter (column / 4, row, 0, 0).
struct ActivationArgs {
  int64_t m, n;
  const void* x;
  void* out;
  Type type;
  Activation activation;
  Dropout dropout;
};

// *out = sum of x[i]^2 over the elements of all tensors, in float64: sums over chunks of a constant
// length, none of which reaches into the next tensor, added in a fixed order. The list is the
// host's and read before the call returns; x and `out` are memory of the device that computes it.
struct SumOfSquaresArgs {
  struct Elements {
    const void* x;  // [n]
    int64_t n;
    Type type;
  };
  const Elements* tensors;  // [count]
  int64_t count;
  double* out;
};

// The k largest of log_softmax(logits[row]), best first, ties to the lower column; 1 <= k <=
// columns, which fit 32 bits. Of a row with NaN or infinity, or of -infinity alone, every value is
// NaN.
struct TopLogProbsArgs {
  int64_t rows, columns, k;
  const void* logits;  // [rows, columns]
  Type type;
  int64_t row_stride;
  void* values;      // [rows, k], float32, or float64 for float64 logits
  int64_t* indices;  // [rows, k]
};

}  // namespace pt
