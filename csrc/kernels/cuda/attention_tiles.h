// What attention's tensor-core kernels share: dropout over accumulators, hiding, and products
// whose hidden slots hold no finite number.
#pragma once

#include "attention_scores.h"
#include "lanes.h"
#include "philox.h"
#include "tiles.h"

namespace pt::cuda {

// Keys of a tile: wide heads have no memory and no registers for more.
constexpr int keys_of_tile(int64_t head_dim) { return head_dim > 128 ? 32 : 64; }

__device__ __forceinline__ bool is_finite(float x) { return fabsf(x) <= 3.4028234663852886e38f; }

// keep[i] = the multipliers of a 16x8 accumulator whose rows are queries and columns are keys.
// Neighbouring lanes share counters: each draws for one of the two rows and they exchange words.
__device__ __forceinline__ void dropout_by_rows(const Dropout& dropout, uint32_t stream, int query,
                                                int key, float (&keep)[4]) {
  const int lane = threadIdx.x % kWarp;
  const bool odd = lane % 2 != 0;
  const Words own = philox(dropout.seed, uint32_t(key / 4 + lane % 4 / 2),
                           uint32_t(query + lane / 4 + (odd ? 8 : 0)), stream, 1);
  const uint32_t given0 = odd ? own.at[0] : own.at[2], given1 = odd ? own.at[1] : own.at[3];
  const uint32_t got0 = __shfl_xor_sync(kAllLanes, given0, 1);
  const uint32_t got1 = __shfl_xor_sync(kAllLanes, given1, 1);
  const uint32_t words[4] = {odd ? got0 : own.at[0], odd ? got1 : own.at[1], odd ? own.at[2] : got0,
                             odd ? own.at[3] : got1};
#pragma unroll
  for (int i = 0; i < 4; i++) keep[i] = multiplier_of<float>(dropout, words[i]);
}

// The same where rows are keys and columns are queries. The four lanes whose rows share a counter
// draw one of the four counters each, and transpose.
__device__ __forceinline__ void dropout_by_columns(const Dropout& dropout, uint32_t stream,
                                                   int query, int key, float (&keep)[4]) {
  const int lane = threadIdx.x % kWarp, place = lane / 4 % 4;
  const Words own = philox(dropout.seed, uint32_t(key / 4 + lane / 16 + place / 2 * 2),
                           uint32_t(query + lane % 4 * 2 + place % 2), stream, 1);
  // own.at[w] is word w of accumulator element `place`; wanted is word `place` of each element.
  uint32_t words[4] = {own.at[0], own.at[1], own.at[2], own.at[3]};
#pragma unroll
  for (int step = 1; step < 4; step *= 2) {
    const bool upper = (place & step) != 0;
#pragma unroll
    for (int i = 0; i < 4; i++) {
      if ((i & step) != 0) continue;
      const uint32_t given = upper ? words[i] : words[i + step];
      const uint32_t got = __shfl_xor_sync(kAllLanes, given, 4 * step);
      (upper ? words[i] : words[i + step]) = got;
    }
  }
#pragma unroll
  for (int i = 0; i < 4; i++) keep[i] = multiplier_of<float>(dropout, words[i]);
}

template <int kCount>
__device__ __forceinline__ void scale_all(float factor, float (&x)[kCount][4]) {
#pragma unroll
  for (int n = 0; n < kCount; n++) {
#pragma unroll
    for (int i = 0; i < 4; i++) x[n][i] *= factor;
  }
}

// Products become scores: with what the mask adds, -infinity where the pair is hidden. Element i of
// products[n] is query first_query + row, key first_key + 8 n + column; or, where kKeysAreRows, the
// other way round. Where kPlain, there is no mask and the scale is a usual one.
template <bool kPlain, bool kKeysAreRows, int kCount>
__device__ __forceinline__ void become_scores(const Visibility& v, const Head& head,
                                              const VisibleRange& visible_range,
                                              const Score<float>& score, int first_query,
                                              int first_key, float (&products)[kCount][4]) {
  if (!kPlain && score.factor != 1.0f) scale_all(score.factor, products);
  const bool has_mask = !kPlain && v.kind != MaskKind::none;
  const int last_query = first_query + (kKeysAreRows ? 8 * kCount : 16) - 1;
  const int last_key = first_key + (kKeysAreRows ? 16 : 8 * kCount) - 1;
  if (!has_mask && visible_range.all_seen(first_query, last_query, first_key, last_key)) return;
  const int first_row = kKeysAreRows ? first_key : first_query;
  const int first_column = kKeysAreRows ? first_query : first_key;
#pragma unroll
  for (int half = 0; half < 2; half++) {
    const int row = first_row + accumulator_row(2 * half);
    const Range seen = kKeysAreRows ? visible_range.seeing(row) : visible_range.of(row);
#pragma unroll
    for (int n = 0; n < kCount; n++) {
#pragma unroll
      for (int i = 0; i < 2; i++) {
        const int column = first_column + 8 * n + accumulator_column(i);
        float& x = products[n][2 * half + i];
        if (column < seen.first || column >= seen.end) {
          x = Score<float>::hidden();
        } else if (has_mask) {
          x = masked<float>(v, head, score, kKeysAreRows ? column : row,
                            kKeysAreRows ? row : column, x);
        }
      }
    }
  }
}

// One bit for each element of scores that is not hidden.
template <int kCount>
__device__ __forceinline__ uint32_t visible_bits(const float (&scores)[kCount][4]) {
  static_assert(kCount <= 8);
  uint32_t bits = 0;
#pragma unroll
  for (int n = 0; n < kCount; n++) {
#pragma unroll
    for (int i = 0; i < 4; i++) {
      if (!Score<float>::is_hidden(scores[n][i])) bits |= 1u << (4 * n + i);
    }
  }
  return bits;
}

// out += a b for those elements of b that are not finite, where the pair is visible: what a product
// that takes them for zeros leaves out. `a` [16, 8 kDepth] lies as accumulators do, b is rows
// [first, first + 8 kDepth) of a tile, out [16, 8 kWidth] begins at column `col` of it.
template <int kDepth, int kWidth, class Tile>
__device__ __forceinline__ void add_not_finite(const float (&a)[kDepth][4], uint32_t visible,
                                               Tile& tile, int first, int col,
                                               float (&out)[kWidth][4]) {
  const int lane = threadIdx.x % kWarp;
  for (int k = 0; k < 8 * kDepth; k++) {
    const int source = lane / 4 * 4 + k % 8 / 2;  // the lane of this row that holds column k
    float factor[2];
    bool seen[2];
#pragma unroll
    for (int half = 0; half < 2; half++) {
      float own = 0;
#pragma unroll
      for (int n = 0; n < kDepth; n++) {
#pragma unroll
        for (int i = 0; i < 2; i++) {
          if (k / 8 == n && k % 2 == i) own = a[n][2 * half + i];
        }
      }
      factor[half] = __shfl_sync(kAllLanes, own, source);
      const uint32_t bits = __shfl_sync(kAllLanes, visible, source);
      seen[half] = (bits >> (4 * (k / 8) + 2 * half + k % 2) & 1) != 0;
    }
#pragma unroll
    for (int n = 0; n < kWidth; n++) {
#pragma unroll
      for (int i = 0; i < 4; i++) {
        const float x = to_float(tile.element(first + k, col + 8 * n + accumulator_column(i)));
        if (!is_finite(x) && seen[i / 2]) out[n][i] += factor[i / 2] * x;
      }
    }
  }
}

// Rows [first, first + rows) of a tile with zeros for what is not finite; by all threads.
template <int kThreads, class Tile>
__device__ __forceinline__ void clear_not_finite(Tile& tile, int first, int rows) {
  for (int at = threadIdx.x; at < rows * Tile::kCols; at += kThreads) {
    auto& element = tile.element(first + at / Tile::kCols, at % Tile::kCols);
    if (!is_finite(to_float(element))) element = {};
  }
}

// Rows of 16x8 accumulators to memory, by way of a tile that nobody else uses from (row, col) on,
// so that they are written in vectors. `to` is the first of the 16 rows, of which the first `rows`
// exist, with `columns` columns.
template <int kWidth, class Tile, class S>
__device__ __forceinline__ void store_rows(const float (&x)[kWidth][4], Tile& tile, int row,
                                           int col, S* to, int64_t stride, int rows, int columns,
                                           bool aligned) {
#pragma unroll
  for (int n = 0; n < kWidth; n++) {
#pragma unroll
    for (int half = 0; half < 2; half++) {
      S* pair = &tile.element(row + accumulator_row(2 * half), col + 8 * n + accumulator_column(0));
      *reinterpret_cast<uint32_t*>(pair) = pair_of<S>(x[n][2 * half], x[n][2 * half + 1]);
    }
  }
  __syncwarp();
#pragma unroll 1
  for (int at = int(threadIdx.x) % kWarp; at < 16 * kWidth; at += kWarp) {
    const int i = at / kWidth, j = col + at % kWidth * 8;
    if (i >= rows) break;
    const S* from = tile.chunk(row + i, j);
    if (!aligned) {
      for (int e = 0; e < 8 && j + e < columns; e++) to[i * stride + j + e] = from[e];
    } else if (j < columns) {
      *reinterpret_cast<Vector<S>*>(to + i * stride + j) =
          *reinterpret_cast<const Vector<S>*>(from);
    }
  }
}

// Begins to load a tile of keys and one of values, from `key` on.
template <int kThreads, class Tile, class Args>
__device__ __forceinline__ void begin_keys(Tile& k, Tile& v, const Args& args, const Head& head,
                                           int key, bool aligned) {
  using S = typename Tile::Element;
  const int rows = head.keys - key, columns = int(args.shape.head_dim);
  begin_load<kThreads>(k, head.k<const S>(args.k, key), args.k.row_stride, rows, columns, aligned);
  begin_load<kThreads>(v, head.k<const S>(args.v, key), args.v.row_stride, rows, columns, aligned);
}

template <int kCount>
__device__ __forceinline__ bool all_finite(const float (&x)[kCount][4]) {
  bool all = true;
#pragma unroll
  for (int n = 0; n < kCount; n++) {
#pragma unroll
    for (int i = 0; i < 4; i++) all = all && is_finite(x[n][i]);
  }
  return all;
}

}  // namespace pt::cuda
