// Attention without tensor cores, for float32 and float64, and attention's weights for any type;
// what their kernels share: a warp owns a few rows of one side (queries, say), each lane takes one
// row of a tile of the other side.
#pragma once

#include "attention_scores.h"
#include "functions.h"
#include "lanes.h"
#include "philox.h"

namespace pt::cuda {

Status attention_forward_plain(const AttentionForwardArgs& args, Queue& queue);
Status attention_backward_plain(const AttentionBackwardArgs& args, Queue& queue);

constexpr int kPlainWarps = 4, kPlainThreads = kPlainWarps * kWarp;
constexpr int kPlainTile = kWarp;  // rows of a tile, one for each lane

// kOwn rows of kSides operands for each warp, and a tile whose rows begin in different banks.
template <class T, int kColumns, int kOwn, int kSides>
struct PlainShared {
  T own[kSides][kPlainWarps][kOwn][kColumns * kWarp];
  T tile[kPlainTile][kColumns * kWarp + 1];
  T factors[kPlainWarps][kOwn][kPlainTile];
};

// The warp's own rows, zeros beyond `rows`.
template <class S, class T, int kOwn, int kWidth>
__device__ __forceinline__ void load_own(const S* from, int64_t stride, int64_t rows,
                                         int64_t columns, T (&to)[kOwn][kWidth]) {
#pragma unroll
  for (int r = 0; r < kOwn; r++) {
    for (int64_t d = threadIdx.x % kWarp; d < columns; d += kWarp) {
      to[r][d] = r < rows ? widened(from[r * stride + d]) : T(0);
    }
  }
  __syncwarp();
}

// Replaces the tile, by all threads of the block.
template <class S, class T, int kWidth>
__device__ __forceinline__ void load_tile(const S* from, int64_t stride, int64_t rows,
                                          int64_t columns, T (&to)[kPlainTile][kWidth]) {
  __syncthreads();  // nobody reads the old one any more
  for (int row = threadIdx.x / kWarp; row < kPlainTile; row += kPlainWarps) {
    for (int64_t d = threadIdx.x % kWarp; d < columns; d += kWarp) {
      to[row][d] = row < rows ? widened(from[row * stride + d]) : T(0);
    }
  }
  __syncthreads();
}

// products[r] = own row r . the lane's row of the tile.
template <class T, int kOwn, int kWidth, int kTileWidth>
__device__ __forceinline__ void multiply_rows(const T (&own)[kOwn][kWidth],
                                              const T (&tile)[kPlainTile][kTileWidth],
                                              int64_t columns, T (&products)[kOwn]) {
#pragma unroll
  for (int r = 0; r < kOwn; r++) products[r] = 0;
  for (int64_t d = 0; d < columns; d++) {
    const T other = tile[threadIdx.x % kWarp][d];
#pragma unroll
    for (int r = 0; r < kOwn; r++) products[r] += own[r][d] * other;
  }
}

// out[r] += the sum over the tile's rows j of factors[r] of lane j times row j, over those pairs
// that are visible; a lane holds every 32nd column. `all` is the warp's own place for factors.
template <class T, int kOwn, int kColumns, int kTileWidth>
__device__ __forceinline__ void add_rows(const T (&factors)[kOwn], const bool (&visible)[kOwn],
                                         const T (&tile)[kPlainTile][kTileWidth], int64_t columns,
                                         T (&all)[kOwn][kPlainTile], T (&out)[kOwn][kColumns]) {
  const int lane = threadIdx.x % kWarp;
  uint32_t seen[kOwn];
#pragma unroll
  for (int r = 0; r < kOwn; r++) {
    seen[r] = __ballot_sync(kAllLanes, visible[r]);
    all[r][lane] = factors[r];
  }
  __syncwarp();
  for (int j = 0; j < kPlainTile; j++) {
    T row[kColumns];
#pragma unroll
    for (int c = 0; c < kColumns; c++) {
      row[c] = lane + c * kWarp < columns ? tile[j][lane + c * kWarp] : T(0);
    }
#pragma unroll
    for (int r = 0; r < kOwn; r++) {
      if ((seen[r] >> j & 1) == 0) continue;
#pragma unroll
      for (int c = 0; c < kColumns; c++) out[r][c] += all[r][j] * row[c];
    }
  }
  __syncwarp();  // before the next factors
}

// A row times a factor; a lane holds every 32nd column.
template <class S, class T, int kColumns>
__device__ __forceinline__ void store_row(const T (&row)[kColumns], T factor, int64_t columns,
                                          S* to) {
#pragma unroll
  for (int c = 0; c < kColumns; c++) {
    const int64_t d = int64_t(threadIdx.x) % kWarp + c * kWarp;
    if (d < columns) to[d] = narrowed<S>(row[c] * factor);
  }
}

// body(Number<how many times 32 columns hold a head>{}).
template <class Body>
Status with_columns(int64_t head_dim, const Body& body) {
  if (head_dim <= 32) return body(Number<1>{});
  if (head_dim <= 64) return body(Number<2>{});
  if (head_dim <= 128) return body(Number<4>{});
  return body(Number<8>{});
}

// Of one pair of a query and a key.
template <class T>
__device__ __forceinline__ T attention_multiplier(const AttentionShape& shape, const Head& head,
                                                  int query, int key) {
  if (shape.dropout.threshold == 0) return T(1);
  const Words words = philox(shape.dropout.seed, uint32_t(key / 4), uint32_t(query),
                             dropout_stream(shape, head), 1);
  return multiplier_of<T>(shape.dropout, words.any(key % 4));
}

// The score of a pair with what the mask adds; -infinity where it is hidden or does not exist.
template <class T>
__device__ __forceinline__ T score_of(const Visibility& v, const Head& head,
                                      const VisibleRange& visible_range, const Score<T>& score,
                                      int query, int key, T product) {
  const Range seen = visible_range.of(query);
  if (key < seen.first || key >= seen.end) return Score<T>::hidden();
  return masked<T>(v, head, score, query, key, product * score.factor);
}

}  // namespace pt::cuda
