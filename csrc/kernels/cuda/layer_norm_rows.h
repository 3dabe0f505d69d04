// How layer norm's rows lie over threads. A row belongs to kWarps warps; a lane holds kVectors
// vectors of it, a whole number of threads apart from each other, so that neighbours read
// neighbouring memory. Rows that are too long for that, and rows that do not begin at multiples of
// 16 bytes, are read element by element instead, as often as they are needed.
#pragma once

#include "lanes.h"
#include "philox.h"
#include "vectors.h"

namespace pt::cuda {

template <class S_, int kVectors_, int kWarps_>
struct RowLayout {
  using S = S_;
  using T = Compute<S>;
  static constexpr int kVectors = kVectors_, kWarps = kWarps_;
  static constexpr int kSize = kVector<S>;             // elements of a vector
  static constexpr int kThreads = kWarps * kWarp;      // of a row
  static constexpr int64_t kColumns = int64_t(kVectors) * kThreads * kSize;  // at most
  static constexpr int kRows = kWarps > 1 ? 1 : 4;  // of a block at a time
  static constexpr int kBlock = kRows * kWarps;     // warps

  // Where this thread's i-th vector begins.
  static __device__ __forceinline__ int64_t column(int i) {
    return (int64_t(i) * kThreads + threadIdx.x % kThreads) * kSize;
  }
  // body(i, j) for every vector i of this thread that lies within the row, at column j.
  template <class Body>
  static __device__ __forceinline__ void for_vectors(int64_t columns, const Body& body) {
#pragma unroll
    for (int i = 0; i < kVectors; i++) {
      if (const int64_t j = column(i); j < columns) body(i, j);
    }
  }
};

// body(RowLayout{}) with the smallest layout that holds so many columns; false when none does.
template <class S, class Body>
bool with_layout(int64_t columns, const Body& body) {
  const auto fits = [&](auto layout) {
    if (columns > decltype(layout)::kColumns) return false;
    body(layout);
    return true;
  };
  return fits(RowLayout<S, 1, 1>{}) || fits(RowLayout<S, 2, 1>{}) || fits(RowLayout<S, 2, 2>{}) ||
         fits(RowLayout<S, 2, 4>{}) || fits(RowLayout<S, 2, 8>{}) || fits(RowLayout<S, 4, 8>{});
}

constexpr int kAnyWarps = 4;  // of a row that is read element by element

// body(j) for every column of this thread, one at a time.
template <class Body>
__device__ __forceinline__ void for_columns(int64_t columns, const Body& body) {
  for (int64_t j = threadIdx.x; j < columns; j += kAnyWarps * kWarp) body(j);
}

template <class S>
__device__ __forceinline__ const S* row_of(const void* data, int64_t row, int64_t stride) {
  return static_cast<const S*>(data) + row * stride;
}

template <class T>
__device__ __forceinline__ T dropout_multiplier(const Dropout& dropout, int64_t column,
                                                int64_t row) {
  T keep[1];
  dropout_multipliers(dropout, column, row, keep);
  return keep[0];
}

}  // namespace pt::cuda
