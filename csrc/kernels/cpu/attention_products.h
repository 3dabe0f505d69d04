// The products of attention over register tiles, what they read, and the sums over their rows.
#pragma once

#include "attention_scores.h"
#include "pack.h"
#include "philox.h"
#include "tile.h"

PT_ISA_BEGIN
namespace {

// A run of rows whose tiles are as even as can be, in whole words of a depth: 24 rows go 12 + 12,
// not 14 + 10.
template <class P>
PT_INLINE int64_t even_tile(int64_t rows) {
  const int64_t tiles = pieces_of(rows, Tile<P>::kRows);
  return tiles == 0 ? 1 : min(Tile<P>::kRows, round_up(pieces_of(rows, tiles), P::kDepth));
}

// Rows of keys or values, transposed into panels [words of depth][kWidth].
template <class P, class S>
PT_INLINE void pack_keys(const S* keys, int64_t row_stride, int64_t count, int64_t depth,
                         typename P::Word* panels) {
  constexpr int64_t width = Tile<P>::kWidth;
  for (int64_t j = 0; j < count; j += width) {
    pack_transposed<P>(keys + j * row_stride, row_stride, depth, min(width, count - j), width,
                       panels + j * words_of<P>(depth));
  }
}

// Rows as the depth of a product: [words of count][width], zero beyond the columns.
template <class P, class S>
PT_INLINE void pack_depth(const S* rows, int64_t row_stride, int64_t count, int64_t columns,
                          int64_t width, typename P::Word* out) {
  const int64_t start = 0;
  pack_across<P>(rows, row_stride, count, {out, 0, 1, width, columns, &start});
}

// scores[rows, columns] = q[rows, depth] * keys, keys packed in panels of `words` words of depth.
template <class P>
PT_INLINE void tile_scores(const typename P::Word* q, int64_t q_stride, int64_t rows,
                           const typename P::Word* panels, int64_t words, int64_t columns,
                           const Score<typename P::Word>& score, typename P::Word* scores,
                           int64_t stride) {
  using V = typename P::V;
  const auto kernel = tile_kernel<P, false, false>(int(rows));
  for (int64_t j = 0; j < columns; j += Tile<P>::kWidth) {
    kernel(q, q_stride, panels + j * words, Tile<P>::kWidth, words, scores + j, stride);
  }
  if (score.factor == 1) return;
  for (int64_t i = 0; i < rows; i++) {
    for (int64_t j = 0; j < columns; j += V::size) {
      typename P::Word* at = scores + i * stride + j;
      (V::load(at) * V::broadcast(score.factor)).store(at);
    }
  }
}

// Whether no element of n words, a multiple of a vector, is NaN or infinite.
template <class P>
bool all_finite(const typename P::Word* words, int64_t n) {
  using V = typename P::V;
  constexpr int kChains = 4;
  V sums[kChains] = {V::zero(), V::zero(), V::zero(), V::zero()};
  int64_t i = 0;
  for (; i + kChains * V::size <= n; i += kChains * V::size) {
    PT_UNROLL
    for (int c = 0; c < kChains; c++) {
      sums[c] = P::multiply_add(V::load(words + i + c * V::size), V::zero(), sums[c]);
    }
  }
  for (; i < n; i += V::size) sums[0] = P::multiply_add(V::load(words + i), V::zero(), sums[0]);
  return (sums[0] + sums[1] + (sums[2] + sums[3])).sum() == 0;
}

// Lane r: what `op` makes of the lanes of rows[r], in one order whatever the other rows.
template <class V, class Op>
PT_INLINE V across_lanes(V (&rows)[V::size], const Op& op) {
  V::transpose(rows);
  PT_UNROLL
  for (int step = V::size / 2; step > 0; step /= 2) {
    PT_UNROLL
    for (int i = 0; i < step; i++) rows[i] = op(rows[i], rows[i + step]);
  }
  return rows[0];
}

// out[rows, columns] += a[rows, words] * b[words, columns] over tiles, a by rows or by columns,
// columns a multiple of the panel's width.
template <class P, bool ColumnMajor>
PT_INLINE void add_products(const typename P::Word* a, int64_t a_stride, int64_t rows,
                            int64_t words, const typename P::Word* b, int64_t b_stride,
                            int64_t columns, typename P::Word* out, int64_t out_stride) {
  const auto kernel = tile_kernel<P, ColumnMajor, true>(int(rows));
  for (int64_t j = 0; j < columns; j += Tile<P>::kWidth) {
    kernel(a, a_stride, b + j, b_stride, words, out + j, out_stride);
  }
}

// Word (i, w) and element (i, k) of an operand that lies by rows or by columns.
template <class T>
struct Strided {
  const T* data;
  int64_t row_step, step;
  PT_INLINE T at(int64_t i, int64_t k) const { return data[i * row_step + k * step]; }
};

// The products of attention when a block holds NaN or infinity somewhere that is hidden from
// somebody: out += a * b in the tiles' order, over the visible pairs only, since 0 * NaN is not 0.
template <class P>
void add_visible_products(const Strided<typename P::Word>& a, const Strided<uint8_t>& visible,
                          int64_t rows, int64_t depth, const typename P::Word* b, int64_t b_stride,
                          int64_t columns, typename P::Word* out, int64_t out_stride) {
  using V = typename P::V;
  for (int64_t i = 0; i < rows; i++) {
    for (int64_t w = 0; w < words_of<P>(depth); w++) {
      bool kept[P::kDepth], any = false;
      for (int d = 0; d < P::kDepth; d++) {
        const int64_t k = w * P::kDepth + d;
        kept[d] = k < depth && visible.at(i, k) != 0;
        any |= kept[d];
      }
      if (!any) continue;
      const V x = V::broadcast(a.at(i, w));
      for (int64_t j = 0; j < columns; j += V::size) {
        typename P::Word* to = out + i * out_stride + j;
        P::multiply_add(x, P::only(V::load(b + w * b_stride + j), kept), V::load(to)).store(to);
      }
    }
  }
}

}  // namespace
PT_ISA_END
