// What both kernels for the best log-probabilities of a row begin with: a block for each row, whose
// threads see the same columns in the same order in either, so that values are the same.
#pragma once

#include "functions.h"
#include "lanes.h"
#include "vectors.h"

namespace pt::cuda {

constexpr int kTopWarps = 16, kTopThreads = kTopWarps * kWarp;

// Where k is large (top_log_probs_many.cu).
Status top_log_probs_many(const TopLogProbsArgs& args, Queue& queue);

// A value as columns are put in order by it: NaN has a place too, that of -infinity.
template <class T>
__device__ __forceinline__ T ranked(T x) {
  return x == x ? x : -T(INFINITY);
}

// The row of this block; kAhead vectors of a thread are on their way at once.
template <class S, int kAhead = 1>
class TopRow {
 public:
  using T = Compute<S>;
  __device__ __forceinline__ TopRow(const TopLogProbsArgs& args, bool aligned)
      : row_(static_cast<const S*>(args.logits) + int64_t(blockIdx.x) * args.row_stride),
        columns_(int(args.columns)), aligned_(aligned) {}

  // body(x, column) for each of the thread's columns.
  template <class Body>
  __device__ __forceinline__ void for_columns(const Body& body) const {
    constexpr int kSize = kVector<S>, kStep = kTopThreads * kSize;
    for (int64_t first = threadIdx.x * kSize; first < columns_; first += kAhead * kStep) {
      T x[kAhead][kSize];
#pragma unroll
      for (int v = 0; v < kAhead; v++) {
        const int64_t j = first + v * kStep;
        load_up_to(row_ + j, columns_ - j, aligned_, x[v]);
      }
#pragma unroll
      for (int v = 0; v < kAhead; v++) {
#pragma unroll
        for (int e = 0; e < kSize; e++) {
          const int64_t j = first + v * kStep + e;
          if (j < columns_) body(x[v][e], int(j));
        }
      }
    }
  }

 private:
  const S* row_;
  const int columns_;
  const bool aligned_;
};

// The sum of exp(x) over the thread's columns, and then over the row.
template <class T>
class TopSum {
 public:
  __device__ __forceinline__ void add(T x) {
    if (x > largest_) {
      sum_ = sum_ == T(0) ? T(1) : sum_ * natural_exp(largest_ - x) + T(1);
      largest_ = x;
    } else if (x != -T(INFINITY)) {
      sum_ += natural_exp(x - largest_);
    }
  }
  // Its logarithm over the row, whose largest is given; NaN where that is infinite, as the
  // definition has it. `slots` is shared memory of its own; the whole block reaches it.
  __device__ __forceinline__ T logarithm(T largest, T (&slots)[kTopWarps][1]) const {
    T sum[1] = {sum_ == T(0) ? T(0) : sum_ * natural_exp(largest_ - largest)};
    warps_sum(sum, slots);
    return largest + natural_log(sum[0]) + (largest - largest);
  }

 private:
  T largest_ = -T(INFINITY), sum_ = 0;
};

}  // namespace pt::cuda
