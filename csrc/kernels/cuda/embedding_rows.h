// What the embedding's forward and backward share: rows of several types, sequences, and how a row
// lies over a warp.
#pragma once

#include "../embedding.h"
#include "philox.h"
#include "vectors.h"

namespace pt::cuda {

constexpr int kEmbeddingWarps = 4;  // of a block; each has a row of its own
constexpr int kEmbeddingVector = 8;  // elements of a lane at a time: whole vectors of every type

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
  return unsigned(pieces_of(rows, kEmbeddingWarps));
}

}  // namespace pt::cuda
