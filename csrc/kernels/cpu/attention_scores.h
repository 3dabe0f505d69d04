// What attention's forward, backward and weights share: where a sequence lies, which keys a query
// sees, and scores with the hidden ones at -infinity.
#pragma once

#include "../attention.h"
#include "arithmetic.h"
#include "pack.h"
#include "parallel.h"
#include "philox.h"
#include "tile.h"

PT_ISA_BEGIN
namespace {

// Keys are cut into blocks of this many from the start of each sequence: a constant, so that the
// order of summation depends on the sequence alone. A multiple of every panel's width.
constexpr int64_t kKeyBlock = 256;

// One head of one sequence.
struct Head {
  int64_t sequence, head;
  int64_t queries, keys;        // lengths
  int64_t first_q, first_k;     // row of the first one among packed rows, 0 when dense
  int64_t first_statistic;      // where its rows of statistics[0] begin

  PT_INLINE Head(const AttentionShape& shape, int64_t b, int64_t h) : sequence(b), head(h) {
    const int32_t* q = shape.cu_seqlens_q;
    const int32_t* k = shape.cu_seqlens_k;
    first_q = q != nullptr ? int64_t(q[b]) : 0;
    first_k = k != nullptr ? int64_t(k[b]) : 0;
    queries = q != nullptr ? int64_t(q[b + 1]) - first_q : shape.length_q;
    keys = k != nullptr ? int64_t(k[b + 1]) - first_k : shape.length_k;
    first_statistic = h * shape.rows_q + (q != nullptr ? first_q : b * shape.length_q);
  }
  template <class S>
  PT_INLINE S* q(const HeadRows& rows, int64_t i) const {
    return static_cast<S*>(rows.data) + sequence * rows.batch_stride +
           (first_q + i) * rows.row_stride + head * rows.head_stride;
  }
  template <class S>
  PT_INLINE S* k(const HeadRows& rows, int64_t j) const {
    return static_cast<S*>(rows.data) + sequence * rows.batch_stride +
           (first_k + j) * rows.row_stride + head * rows.head_stride;
  }
};

struct Range {
  int64_t first, end;
};

// The keys that causality and the window leave to a query: one range.
class VisibleRange {
 public:
  PT_INLINE VisibleRange(const Visibility& v, const Head& head)
      : offset_(head.keys - head.queries), keys_(head.keys), left_(v.window_left),
        right_(v.causal ? 0 : v.window_right) {}
  PT_INLINE Range of(int64_t query) const { return of(query, query); }
  // The union for consecutive queries first..last.
  PT_INLINE Range of(int64_t first, int64_t last) const {
    const int64_t begin = left_ < 0 ? 0 : max(0, first + offset_ - left_);
    const int64_t end = right_ < 0 ? keys_ : min(keys_, last + offset_ + right_ + 1);
    return {begin, max(begin, end)};
  }
  // The queries that see some of the keys first..last, of all `queries`.
  PT_INLINE Range seeing(int64_t first, int64_t last, int64_t queries) const {
    const int64_t begin = right_ < 0 ? 0 : max(0, first - offset_ - right_);
    const int64_t end = left_ < 0 ? queries : min(queries, last - offset_ + left_ + 1);
    return {begin, max(begin, end)};
  }

 private:
  int64_t offset_, keys_, left_, right_;
};

PT_INLINE bool may_hide(const Visibility& v) {
  return v.causal || v.window_left >= 0 || v.window_right >= 0 || v.kind != MaskKind::none;
}

// A score q k stays as the product gives it, in units of the scale; what is added to it (a mask) is
// divided by the unit, and 2^((score - largest) * exponent) is the weight. -infinity marks a hidden
// slot, and nothing else is ever lower than the lowest number.
template <class T>
struct Score {
  T factor;    // of the product, unless it is 1
  T unit;      // of masks
  T exponent;  // of 2

  // A scale that cannot be divided by is multiplied in.
  explicit PT_INLINE Score(double scale) {
    const bool divides = scale > 1e-20;
    factor = divides ? T(1) : T(scale);
    unit = divides ? T(scale) : T(1);
    exponent = T((divides ? scale : 1.0) * kLog2e);
  }
  static constexpr T hidden() { return -T(__builtin_inf()); }
  static constexpr T lowest() {
    return sizeof(T) == 8 ? T(-1.7976931348623157e308) : T(-3.4028234663852886e38f);
  }
};

// x[from .. to) = value.
template <class T>
PT_INLINE void fill(T* x, int64_t from, int64_t to, T value) {
  using V = Vector<T>;
  for (int64_t j = from; j < to; j += V::size) store_up_to(V::broadcast(value), x + j, to - j);
}

// Sets scores[j] for keys first_key + j, j in [from, to), to -infinity where the query may not see
// the key, and adds an additive mask.
template <class T>
PT_INLINE void hide(const Visibility& v, const Head& head, const VisibleRange& visible_range,
                    const Score<T>& score, int64_t query, int64_t first_key, int64_t from,
                    int64_t to, T* scores) {
  const Range seen = visible_range.of(query);
  const int64_t begin = min(to, max(from, seen.first - first_key));
  const int64_t end = max(begin, min(to, seen.end - first_key));
  fill(scores, from, begin, Score<T>::hidden());
  fill(scores, end, to, Score<T>::hidden());
  if (v.kind == MaskKind::none) return;
  const int64_t row = head.sequence * v.mask_batch + head.head * v.mask_head +
                      query * v.mask_query + first_key * v.mask_key;
  if (v.kind == MaskKind::boolean) {
    const uint8_t* mask = static_cast<const uint8_t*>(v.mask) + row;
    for (int64_t j = begin; j < end; j++) {
      if (mask[j * v.mask_key] == 0) scores[j] = Score<T>::hidden();
    }
    return;
  }
  const T* mask = static_cast<const T*>(v.mask) + row;
  for (int64_t j = begin; j < end; j++) {
    const T x = mask[j * v.mask_key];
    // Only -infinity hides; the lowest finite numbers, which people use for it, must stay finite.
    const T sum = scores[j] + x / score.unit;
    scores[j] = x == Score<T>::hidden() ? x : sum < Score<T>::lowest() ? Score<T>::lowest() : sum;
  }
}

// visible[j] = whether the slot was not hidden.
template <class T>
PT_INLINE void note_visible(const T* scores, int64_t n, uint8_t* visible) {
  for (int64_t j = 0; j < n; j++) visible[j] = !(scores[j] < Score<T>::lowest());
}

// A run of rows whose tiles are as even as can be, in whole words of a depth: 24 rows go 12 + 12,
// not 14 + 10.
template <class P>
PT_INLINE int64_t even_tile(int64_t rows) {
  const int64_t tiles = pieces_of(rows, Tile<P>::kRows);
  return tiles == 0 ? 1 : min(Tile<P>::kRows, round_up(pieces_of(rows, tiles), P::kDepth));
}

// How many words hold a depth of n.
template <class P>
PT_INLINE constexpr int64_t words_of(int64_t n) {
  return pieces_of(n, P::kDepth);
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

// body(first, last) over tasks, in runs long enough to be worth handing out when sequences are
// short; `pairs` is about how many pairs of a query and a key a task has.
template <class Body>
PT_INLINE void parallel_runs(int64_t tasks, int64_t pairs, const Body& body) {
  constexpr int64_t kPairs = int64_t(1) << 16;
  const int64_t most = max(1, tasks / (8 * thread_count()));
  const int64_t run = min(most, kPairs / max(1, pairs) + 1);
  parallel_for(pieces_of(tasks, run),
               [&](int64_t piece) { body(piece * run, min(tasks, (piece + 1) * run)); });
}

// The longest sequence of either side.
PT_INLINE int64_t longest(const AttentionShape& shape, const int32_t* starts, int64_t length) {
  if (starts == nullptr) return length;
  int64_t most = 0;
  for (int64_t b = 0; b < shape.batch; b++) most = max(most, starts[b + 1] - starts[b]);
  return most;
}

}  // namespace
PT_ISA_END
