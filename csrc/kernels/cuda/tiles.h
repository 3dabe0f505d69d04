// Tiles of 16-bit elements in shared memory, as matrix instructions want them.
#pragma once

#include "device.h"

namespace pt::cuda {

// kRows rows of kCols elements. The 16-byte chunks of a row change places with its number, so that
// the 8 rows of an 8x8 matrix lie in different banks.
template <class S, int kRows_, int kCols_>
struct alignas(128) Tile {
  using Element = S;
  static constexpr int kRows = kRows_, kCols = kCols_, kChunk = 8;
  static constexpr int kChunks = kCols / kChunk;  // of a row
  static_assert(sizeof(S) == 2 && (kChunks == 4 || kChunks % 8 == 0));
  S at[kRows * kCols];

  // Eight elements from a column that is a multiple of 8 on.
  __device__ __forceinline__ S* chunk(int row, int col) {
    const int turn = kChunks == 4 ? row / 2 % 4 : row % 8;
    return at + row * kCols + ((col / kChunk) ^ turn) * kChunk;
  }
  __device__ __forceinline__ S& element(int row, int col) {
    return chunk(row, col / kChunk * kChunk)[col % kChunk];
  }
};

// Begins to fill a tile with rows [0, rows) and columns [0, columns) of a matrix, and zeros beyond;
// all kThreads threads of the block take part. Rows that do not begin at multiples of 16 bytes are
// filled at once, element by element.
template <int kThreads, class Tile, class S>
__device__ __forceinline__ void begin_load(Tile& tile, const S* from, int64_t stride, int rows,
                                           int columns, bool aligned) {
  static_assert(kThreads % Tile::kChunks == 0);
  constexpr int kStep = kThreads / Tile::kChunks;  // rows that all threads fill at a time
  static_assert(Tile::kRows % kStep == 0);
  const int col = int(threadIdx.x) % Tile::kChunks * Tile::kChunk;
  int row = int(threadIdx.x) / Tile::kChunks;
  const S* source = from + row * stride + col;
#pragma unroll
  for (int i = 0; i < Tile::kRows / kStep; i++, row += kStep, source += kStep * stride) {
    S* to = tile.chunk(row, col);
    if (aligned) {
      const bool inside = row < rows && col < columns;
      copy_async_16(to, inside ? source : from, inside);
    } else {
      for (int e = 0; e < Tile::kChunk; e++) {
        to[e] = row < rows && col + e < columns ? source[e] : S{};
      }
    }
  }
}

// Walks over [first, end) in steps: begin(at, stage) starts the copies of a tile into one of
// kStages places, use(at, stage) works on them when they have arrived. With two places the next
// tile is on its way meanwhile. Copies begun before the walk arrive with the first tile.
template <int kStages, class Begin, class Use>
__device__ __forceinline__ void walk_tiles(int first, int end, int step, const Begin& begin,
                                           const Use& use) {
  static_assert(kStages == 1 || kStages == 2);
  if (first < end) begin(first, 0);
  copy_async_commit();
  int stage = 0;
  for (int at = first; at < end; at += step) {
    // This tile has arrived, and every warp is done with the place that the next one overwrites.
    copy_async_wait<0>();
    __syncthreads();
    const int next = at + step;
    if (kStages > 1 && next < end) begin(next, stage ^ 1);
    copy_async_commit();
    use(at, stage);
    if constexpr (kStages > 1) {
      stage ^= 1;
    } else {
      __syncthreads();
      if (next < end) begin(next, stage);
      copy_async_commit();
    }
  }
  copy_async_wait<0>();
}

// Of the 16x16 block at (row, col): what mma_m16n8k16 takes as `a`.
template <class Tile>
__device__ __forceinline__ void load_a(uint32_t (&a)[4], Tile& tile, int row, int col) {
  const int lane = threadIdx.x % kWarp;
  load_matrix_x4(a, tile.chunk(row + lane % 16, col + lane / 16 * 8));
}
// The same of the transpose: block element (i, j) lies at (row + j, col + i).
template <class Tile>
__device__ __forceinline__ void load_a_transposed(uint32_t (&a)[4], Tile& tile, int row, int col) {
  const int lane = threadIdx.x % kWarp;
  load_matrix_x4_transposed(a, tile.chunk(row + lane / 16 * 8 + lane % 8, col + lane / 8 % 2 * 8));
}
// What two products take as `b`, for n in [0, 8) (b[0], b[1]) and in [8, 16) (b[2], b[3]):
// element (k, n) lies at (row + n, col + k).
template <class Tile>
__device__ __forceinline__ void load_b(uint32_t (&b)[4], Tile& tile, int row, int col) {
  const int lane = threadIdx.x % kWarp;
  load_matrix_x4(b, tile.chunk(row + lane / 16 * 8 + lane % 8, col + lane / 8 % 2 * 8));
}
// The same where element (k, n) lies at (row + k, col + n).
template <class Tile>
__device__ __forceinline__ void load_b_transposed(uint32_t (&b)[4], Tile& tile, int row, int col) {
  const int lane = threadIdx.x % kWarp;
  load_matrix_x4_transposed(b, tile.chunk(row + lane % 16, col + lane / 16 * 8));
}

// What a lane holds of a 16x8 accumulator: element i lies at row accumulator_row(i), column
// accumulator_column(i).
__device__ __forceinline__ int accumulator_row(int i) {
  return int(threadIdx.x) % kWarp / 4 + i / 2 * 8;
}
__device__ __forceinline__ int accumulator_column(int i) {
  return int(threadIdx.x) % 4 * 2 + i % 2;
}

// Two neighbouring 16x8 accumulators as the 16x16 operand `a` of the next product.
template <class S>
__device__ __forceinline__ void pack_a(uint32_t (&a)[4], const float (&left)[4],
                                       const float (&right)[4]) {
  a[0] = pair_of<S>(left[0], left[1]);
  a[1] = pair_of<S>(left[2], left[3]);
  a[2] = pair_of<S>(right[0], right[1]);
  a[3] = pair_of<S>(right[2], right[3]);
}

// out[r][16, 8 kCount] += rows [row + 16 r, + 16) of one tile times rows [other, other + 8 kCount)
// of another one, over all their columns.
template <int kRowTiles, int kCount, class Tile, class OtherTile>
__device__ __forceinline__ void multiply_tiles(Tile& tile, int row, OtherTile& others, int other,
                                               float (&out)[kRowTiles][kCount][4]) {
  using S = typename Tile::Element;
  static_assert(Tile::kCols == OtherTile::kCols);
  // No more steps at once than there are registers for.
  [[maybe_unused]] constexpr int kUnroll = kRowTiles > 1 ? 2 : 4;
#pragma unroll kUnroll
  for (int d = 0; d < Tile::kCols; d += 16) {
    uint32_t a[kRowTiles][4];
#pragma unroll
    for (int r = 0; r < kRowTiles; r++) load_a(a[r], tile, row + 16 * r, d);
#pragma unroll
    for (int n = 0; n < kCount; n += 2) {
      uint32_t b[4];
      load_b(b, others, other + 8 * n, d);
#pragma unroll
      for (int r = 0; r < kRowTiles; r++) {
        mma_m16n8k16<S>(out[r][n], a[r], b[0], b[1]);
        mma_m16n8k16<S>(out[r][n + 1], a[r], b[2], b[3]);
      }
    }
  }
}

// out[r][16, 8 kWidth] += factors[r][16, 8 kDepth], rounded, times rows [row, row + 8 kDepth) of a
// tile, columns from `col` on.
template <int kRowTiles, int kDepth, int kWidth, class Tile>
__device__ __forceinline__ void multiply_rows(const float (&factors)[kRowTiles][kDepth][4],
                                              Tile& tile, int row, int col,
                                              float (&out)[kRowTiles][kWidth][4]) {
  using S = typename Tile::Element;
#pragma unroll
  for (int k = 0; k < kDepth; k += 2) {
    uint32_t a[kRowTiles][4];
#pragma unroll
    for (int r = 0; r < kRowTiles; r++) pack_a<S>(a[r], factors[r][k], factors[r][k + 1]);
#pragma unroll
    for (int n = 0; n < kWidth; n += 2) {
      uint32_t b[4];
      load_b_transposed(b, tile, row + 8 * k, col + 8 * n);
#pragma unroll
      for (int r = 0; r < kRowTiles; r++) {
        mma_m16n8k16<S>(out[r][n], a[r], b[0], b[1]);
        mma_m16n8k16<S>(out[r][n + 1], a[r], b[2], b[3]);
      }
    }
  }
}

}  // namespace pt::cuda
