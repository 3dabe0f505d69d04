// What attention's forward, backward and weights share: where a sequence lies, which keys a query
// sees, and scores with the hidden ones at -infinity.
#pragma once

#include "../attention.h"
#include "arithmetic.h"
#include "pack.h"
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

 private:
  int64_t offset_, keys_, left_, right_;
};

PT_INLINE bool may_hide(const Visibility& v) {
  return v.causal || v.window_left >= 0 || v.window_right >= 0 || v.kind != MaskKind::none;
}

// Scores are kept in units of log2: scale * log2(e) is multiplied into k beforehand. In these
// units -infinity marks a hidden slot, and nothing else is ever lower than the lowest number.
template <class T>
struct Score {
  static constexpr T hidden() { return -T(__builtin_inf()); }
  static constexpr T lowest() {
    return sizeof(T) == 8 ? T(-1.7976931348623157e308) : T(-3.4028234663852886e38f);
  }
};

// Sets scores[j] for keys first_key + j, j in [from, to), to -infinity where the query may not see
// the key, and adds an additive mask.
template <class T>
PT_INLINE void hide(const Visibility& v, const Head& head, const VisibleRange& visible_range,
                    int64_t query, int64_t first_key, int64_t from, int64_t to, T* scores) {
  const Range seen = visible_range.of(query);
  const int64_t begin = min(to, max(from, seen.first - first_key));
  const int64_t end = max(begin, min(to, seen.end - first_key));
  for (int64_t j = from; j < begin; j++) scores[j] = Score<T>::hidden();
  for (int64_t j = end; j < to; j++) scores[j] = Score<T>::hidden();
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
    const T sum = scores[j] + x * T(kLog2e);
    scores[j] = x == Score<T>::hidden() ? x : sum < Score<T>::lowest() ? Score<T>::lowest() : sum;
  }
}

// A run of queries whose tiles are as even as can be: 24 rows go 12 + 12, not 14 + 10.
template <class T>
PT_INLINE int64_t even_tile(int64_t rows) {
  const int64_t tiles = pieces_of(rows, Tile<Single<T>>::kRows);
  return tiles == 0 ? 1 : pieces_of(rows, tiles);
}

// scores[rows, columns] = q[rows, depth] * keys, keys packed in panels [depth][kWidth].
template <class T>
PT_INLINE void tile_scores(const T* q, int64_t q_stride, int64_t rows, const T* panels,
                           int64_t depth, int64_t columns, T* scores, int64_t stride) {
  const auto kernel = tile_kernel<Single<T>, false, false>(int(rows));
  for (int64_t j = 0; j < columns; j += Tile<Single<T>>::kWidth) {
    kernel(q, q_stride, panels + j * depth, Tile<Single<T>>::kWidth, depth, scores + j, stride);
  }
}

// Keys of one block, transposed into panels and multiplied by `factor`.
template <class T, class S>
PT_INLINE void pack_keys(const S* keys, int64_t row_stride, int64_t count, int64_t depth, T factor,
                         T* panels) {
  constexpr int64_t width = Tile<Single<T>>::kWidth;
  using V = Vector<T>;
  for (int64_t j = 0; j < count; j += width) {
    T* panel = panels + j * depth;
    pack_transposed<Single<T>>(keys + j * row_stride, row_stride, depth, min(width, count - j),
                               width, panel);
    if (factor == T(1)) continue;
    for (int64_t i = 0; i < depth * width; i += V::size) {
      (V::load(panel + i) * V::broadcast(factor)).store(panel + i);
    }
  }
}

template <class T>
bool all_finite(const T* x, int64_t n) {
  using V = Vector<T>;
  V sum = V::zero();
  int64_t i = 0;
  for (; i + V::size <= n; i += V::size) sum = V::fma(V::load(x + i), V::zero(), sum);
  T rest = sum.sum();
  for (; i < n; i++) rest += x[i] * T(0);
  return rest == T(0);
}

// The products of attention when a block holds NaN or infinity somewhere that is hidden from
// somebody: out[i, 0..columns) += sum over k of a(i, k) * b[k, :], in the tiles' order, over the
// visible pairs only, since 0 * NaN is not 0. a(i, k) and visible(i, k) by strides.
template <class T>
void add_visible_products(const T* a, const uint8_t* visible, int64_t row_step, int64_t k_step,
                          int64_t rows, int64_t depth, const T* b, int64_t b_stride,
                          int64_t columns, T* out, int64_t out_stride) {
  using V = Vector<T>;
  for (int64_t i = 0; i < rows; i++) {
    for (int64_t k = 0; k < depth; k++) {
      const int64_t at = i * row_step + k * k_step;
      if (visible[at] == 0) continue;
      const V x = V::broadcast(a[at]);
      for (int64_t j = 0; j < columns; j += V::size) {
        T* to = out + i * out_stride + j;
        V::fma(x, V::load(b + k * b_stride + j), V::load(to)).store(to);
      }
    }
  }
}

// visible[j] = whether the slot was not hidden.
template <class T>
PT_INLINE void note_visible(const T* scores, int64_t n, uint8_t* visible) {
  for (int64_t j = 0; j < n; j++) visible[j] = !(scores[j] < Score<T>::lowest());
}

// out[rows, columns] += a[rows, depth] * b[depth, columns] over tiles, a by rows or by columns,
// columns a multiple of the panel's width.
template <class T, bool ColumnMajor>
PT_INLINE void add_products(const T* a, int64_t a_stride, int64_t rows, int64_t depth, const T* b,
                            int64_t b_stride, int64_t columns, T* out, int64_t out_stride) {
  const auto kernel = tile_kernel<Single<T>, ColumnMajor, true>(int(rows));
  for (int64_t j = 0; j < columns; j += Tile<Single<T>>::kWidth) {
    kernel(a, a_stride, b + j, b_stride, depth, out + j, out_stride);
  }
}

}  // namespace
PT_ISA_END
