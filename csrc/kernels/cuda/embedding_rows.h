// What the embedding's forward and backward share: rows of several types, sequences, and how a row
// lies over a warp.
#pragma once

#include "../embedding.h"
#include "philox.h"
#include "vectors.h"

namespace pt::cuda {

constexpr int kEmbeddingWarps = 4;  // of a block; each has a row of its own
constexpr int kEmbeddingVector = 8;  // elements of a lane at a time: whole vectors of every type

// Elements from `at` on of what `type` names, as load_up_to.
template <class T, int kCount>
__device__ __forceinline__ void load_typed(const void* data, Type type, int64_t at, int64_t left,
                                           bool aligned, T (&to)[kCount]) {
  switch (type) {
    case Type::bfloat16:
      return load_up_to(static_cast<const bfloat16*>(data) + at, left, aligned, to);
    case Type::float16:
      return load_up_to(static_cast<const float16*>(data) + at, left, aligned, to);
    case Type::float64:
      return load_up_to(static_cast<const double*>(data) + at, left, aligned, to);
    default:
      return load_up_to(static_cast<const float*>(data) + at, left, aligned, to);
  }
}
template <class T, int kCount>
__device__ __forceinline__ void store_typed(const T (&from)[kCount], void* data, Type type,
                                            int64_t at, int64_t left, bool aligned) {
  if constexpr (sizeof(T) == 8) {
    if (type == Type::float64) {
      return store_up_to(from, static_cast<double*>(data) + at, left, aligned);
    }
  }
  float narrow[kCount];
#pragma unroll
  for (int i = 0; i < kCount; i++) narrow[i] = float(from[i]);
  switch (type) {
    case Type::bfloat16:
      return store_up_to(narrow, static_cast<bfloat16*>(data) + at, left, aligned);
    case Type::float16:
      return store_up_to(narrow, static_cast<float16*>(data) + at, left, aligned);
    default:
      return store_up_to(narrow, static_cast<float*>(data) + at, left, aligned);
  }
}

// Where sequence b begins: of packed sequences, never outside the rows.
__device__ __forceinline__ int64_t start_of(const int32_t* cu_seqlens, int64_t length, int64_t b,
                                            int64_t rows) {
  if (cu_seqlens == nullptr) return b * length;
  return max(int64_t(0), min(int64_t(cu_seqlens[b]), rows));
}

// A row's place in its sequence: the last one that begins at or before it.
__device__ __forceinline__ int64_t position_of(const int32_t* cu_seqlens, int64_t length,
                                               int64_t batch, int64_t rows, int64_t row) {
  if (cu_seqlens == nullptr) return row % length;
  int64_t low = 0, high = batch;  // it begins in [low, high)
  while (high - low > 1) {
    const int64_t middle = (low + high) / 2;
    (start_of(cu_seqlens, 0, middle, rows) <= row ? low : high) = middle;
  }
  return row - start_of(cu_seqlens, 0, low, rows);
}

// body(j) for this lane's columns, kEmbeddingVector from each j on.
template <class Body>
__device__ __forceinline__ void for_lane_columns(int64_t columns, const Body& body) {
  constexpr int kStep = kWarp * kEmbeddingVector;
  for (int64_t j = threadIdx.x % kWarp * kEmbeddingVector; j < columns; j += kStep) body(j);
}
__device__ __forceinline__ int64_t row_of_warp() {
  return int64_t(blockIdx.x) * kEmbeddingWarps + threadIdx.x / kWarp;
}
inline unsigned embedding_blocks(int64_t rows) {
  return unsigned((rows + kEmbeddingWarps - 1) / kEmbeddingWarps);
}

}  // namespace pt::cuda
