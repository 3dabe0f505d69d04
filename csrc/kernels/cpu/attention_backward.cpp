// Attention backward, without stored weights: they are computed again from the
// statistics of forward.
//
// Parallel over (sequence, head); nothing is shared between tasks. With P the weights, d the
// dropout multipliers, G = grad_out, delta[i] = G[i] . out[i]:
//   grad_v = (P d)^T G,  dP = (G v^T) d,  dS = P (dP - delta),
//   grad_q = scale dS k, grad_k = scale dS^T q.
// Blocks of keys are the outer loop (k and v transposed once per block, grad_k and grad_v finished
// per block), blocks of queries the inner one, so that every gradient is summed in one fixed order.
// P d and dS of a pair of blocks stay in the second-level cache as words across the queries, which
// grad_k and grad_v read by columns; grad_q takes each tile's dS by rows at once. bfloat16 rows are
// multiplied in pairs where that can be had, and P d and dS are rounded for it.
#include "attention_products.h"
#include "scratch.h"

PT_ISA_BEGIN

void attention_backward(const AttentionBackwardArgs& args);

namespace {

template <class S>
class Backward {
 public:
  using P = ProductOf<S>;
  using T = typename P::Word;
  using V = typename P::V;
  using K = Tile<P>;
  // Then words along the depth and across the queries are the same.
  static constexpr bool kWordIsElement = P::kDepth == 1;
  static constexpr int64_t kQueryBlock = 112;
  static constexpr int64_t kKeys = kKeyBlock / 2;
  static constexpr int64_t kStride = kKeys + 16;

  explicit Backward(const AttentionBackwardArgs& args)
      : args_(args), shape_(args.shape), score_(args.shape.scale), depth_(args.shape.head_dim),
        words_(words_of<P>(depth_)), width_(round_up(depth_, K::kWidth)),
        q_stride_(kWordIsElement ? width_ : round_up(words_, V::size)),
        may_hide_(may_hide(args.shape.visibility)) {}

  void run() const {
    const int64_t queries = longest(shape_, shape_.cu_seqlens_q, shape_.length_q);
    const int64_t keys = longest(shape_, shape_.cu_seqlens_k, shape_.length_k);
    parallel_runs(shape_.batch * shape_.heads, queries * keys, [&](int64_t begin, int64_t end) {
      Scratch scratch;
      Work w = allocate(scratch, queries);
      for (int64_t task = begin; task < end; task++) {
        one_head(Head(shape_, task / shape_.heads, task % shape_.heads), w);
      }
    });
  }

 private:
  struct Work {
    T *q_rows, *grad_rows;  // words along the depth, [queries, q_stride]
    T *q, *grad;  // words across the queries, [words of queries][width]
    T *grad_q, *delta;  // [queries, width], [queries]
    T *keys_t, *values_t;  // panels of words [kKeys][depth] transposed
    T* keys;  // words [kKeys][width]
    T *grad_k, *grad_v;  // [kKeys, width]
    T *scores, *slopes;  // of one tile, [kRows, kStride]: S, then P d; dP, then dS
    T *weights, *grad_scores;  // P d and dS across the queries, [words of kQueryBlock][kStride]
    T* keep;  // [kRows, kStride]
    uint8_t* visible;  // [kQueryBlock, kStride]
    bool queries_finite, finite;
  };

  Work allocate(Scratch& scratch, int64_t queries) const {
    Work w;
    w.q = scratch.take<T>(words_of<P>(queries) * width_);
    w.grad = scratch.take<T>(words_of<P>(queries) * width_);
    w.q_rows = kWordIsElement ? w.q : scratch.take<T>(queries * q_stride_);
    w.grad_rows = kWordIsElement ? w.grad : scratch.take<T>(queries * q_stride_);
    w.grad_q = scratch.take<T>(queries * width_);
    w.delta = scratch.take<T>(queries + V::size);
    w.keys_t = scratch.take<T>(kKeys * words_);
    w.values_t = scratch.take<T>(kKeys * words_);
    w.keys = scratch.take<T>(words_of<P>(kKeys) * width_);
    w.grad_k = scratch.take<T>(kKeys * width_);
    w.grad_v = scratch.take<T>(kKeys * width_);
    w.scores = scratch.take<T>(K::kRows * kStride);
    w.slopes = scratch.take<T>(K::kRows * kStride);
    w.weights = scratch.take<T>(words_of<P>(kQueryBlock) * kStride);
    w.grad_scores = scratch.take<T>(words_of<P>(kQueryBlock) * kStride);
    w.keep = scratch.take<T>(K::kRows * kStride + kWords);
    w.visible = may_hide_ ? scratch.take<uint8_t>(kQueryBlock * kStride) : nullptr;
    return w;
  }

  void one_head(const Head& head, Work& w) const {
    if (head.queries == 0 && head.keys == 0) return;
    load_queries(head, w);
    const VisibleRange visible_range(shape_.visibility, head);
    for (int64_t key = 0; key < head.keys; key += kKeys) {
      const int64_t keys = min(kKeys, head.keys - key);
      load_keys(head, key, keys, w);
      for (int64_t query = 0; query < head.queries; query += kQueryBlock) {
        block(head, visible_range, query, min(kQueryBlock, head.queries - query), key, keys, w);
      }
      store_keys(head, key, keys, w);
    }
    const V scale = V::broadcast(T(shape_.scale));
    for (int64_t i = 0; i < head.queries; i++) {
      store_row(w.grad_q + i * width_, scale, head.q<S>(args_.grad_q, i));
    }
  }

  void load_queries(const Head& head, Work& w) const {
    const int64_t n = head.queries;
    const S *q = head.q<S>(args_.q, 0), *grad = head.q<S>(args_.grad_out, 0);
    if constexpr (!kWordIsElement) {
      pack_along<P>(q, args_.q.row_stride, n, depth_, w.q_rows, q_stride_);
      pack_along<P>(grad, args_.grad_out.row_stride, n, depth_, w.grad_rows, q_stride_);
    }
    pack_depth<P>(q, args_.q.row_stride, n, depth_, width_, w.q);
    pack_depth<P>(grad, args_.grad_out.row_stride, n, depth_, width_, w.grad);
    fill(w.grad_q, 0, n * width_, T(0));
    for (int64_t i = 0; i < n; i += V::size) {
      V part[V::size];
      for (int64_t r = 0; r < V::size; r++) {
        part[r] = V::zero();
        if (i + r < n) part[r] = product(head, i + r);
      }
      across_lanes(part, [](V a, V b) { return a + b; }).store(w.delta + i);
    }
    w.queries_finite = !may_hide_ || (all_finite<P>(w.q, words_of<P>(n) * width_) &&
                                      all_finite<P>(w.grad, words_of<P>(n) * width_));
  }

  // out . grad_out of one query, lane by lane.
  PT_INLINE V product(const Head& head, int64_t i) const {
    const S *out = head.q<S>(args_.out, i), *grad = head.q<S>(args_.grad_out, i);
    V sum = V::zero();
    for (int64_t j = 0; j < depth_; j += V::size) {
      sum = V::fma(load_up_to<V>(out + j, depth_ - j), load_up_to<V>(grad + j, depth_ - j), sum);
    }
    return sum;
  }

  void load_keys(const Head& head, int64_t key, int64_t keys, Work& w) const {
    const S *k = head.k<S>(args_.k, key), *v = head.k<S>(args_.v, key);
    pack_keys<P>(k, args_.k.row_stride, keys, depth_, w.keys_t);
    pack_keys<P>(v, args_.v.row_stride, keys, depth_, w.values_t);
    pack_depth<P>(k, args_.k.row_stride, keys, depth_, width_, w.keys);
    fill(w.grad_k, 0, keys * width_, T(0));
    fill(w.grad_v, 0, keys * width_, T(0));
    w.finite =
        w.queries_finite && (!may_hide_ || all_finite<P>(w.keys, words_of<P>(keys) * width_));
  }

  void block(const Head& head, const VisibleRange& visible_range, int64_t query, int64_t queries,
             int64_t key, int64_t keys, const Work& w) const {
    const Range seen = in_block(visible_range.of(query, query + queries - 1), key, keys);
    if (seen.first >= seen.end) return;
    const int64_t step = even_tile<P>(queries);
    for (int64_t i = 0; i < queries; i += step) {
      const int64_t rows = min(step, queries - i);
      const Range own = in_block(visible_range.of(query + i, query + i + rows - 1), key, keys);
      clear_around(i, rows, seen, own, w);
      if (own.first < own.end) tile(head, visible_range, query, i, rows, key, own, w);
    }
    const int64_t key_step = even_tile<P>(seen.end - seen.first);
    for (int64_t j = seen.first; j < seen.end; j += key_step) {
      const int64_t rows = min(key_step, seen.end - j);
      const Range by = visible_range.seeing(key + j, key + j + rows - 1, head.queries);
      const int64_t from = max(0, by.first - query) / P::kDepth * P::kDepth;
      const int64_t to = min(queries, by.end - query);
      if (from >= to) continue;
      by_columns(w.weights, j, rows, query, from, to, w.grad, w.grad_v + j * width_, w);
      by_columns(w.grad_scores, j, rows, query, from, to, w.q, w.grad_k + j * width_, w);
    }
  }

  // The seen keys as places in the block that begins at `key`, from the start of a panel on.
  PT_INLINE Range in_block(const Range& seen, int64_t key, int64_t keys) const {
    return {max(0, seen.first - key) / K::kWidth * K::kWidth, min(keys, seen.end - key)};
  }

  // What the block's products read beside what the tile computes is zero.
  PT_INLINE void clear_around(int64_t at, int64_t rows, const Range& seen, const Range& own,
                              const Work& w) const {
    const int64_t end = own.first < own.end ? round_up(own.end, V::size) : own.first;
    for (int64_t i = at / P::kDepth; i < words_of<P>(at + rows); i++) {
      T* const rows_of_words[] = {w.weights + i * kStride, w.grad_scores + i * kStride};
      for (T* words : rows_of_words) {
        fill(words, seen.first, min(own.first, seen.end), T(0));
        fill(words, max(seen.first, end), seen.end, T(0));
      }
    }
    if (w.finite) return;
    for (int64_t i = at; i < at + rows; i++) {
      for (int64_t j = seen.first; j < seen.end; j++) w.visible[i * kStride + j] = 0;
    }
  }

  // out[keys j .. j + rows] += transposed words of queries from .. to of the block times b.
  PT_INLINE void by_columns(const T* words, int64_t j, int64_t rows, int64_t query, int64_t from,
                            int64_t to, const T* b, T* out, const Work& w) const {
    const T* a = words + from / P::kDepth * kStride + j;
    b += (query + from) / P::kDepth * width_;
    if (w.finite) {
      add_products<P, true>(a, kStride, rows, words_of<P>(to - from), b, width_, width_, out,
                            width_);
    } else {
      add_visible_products<P>({a, 1, kStride}, {w.visible + from * kStride + j, 1, kStride}, rows,
                              to - from, b, width_, width_, out, width_);
    }
  }

  // Queries query + at .. against the seen keys of a block: P d and dS across the queries, and what
  // dS adds to grad_q.
  void tile(const Head& head, const VisibleRange& visible_range, int64_t query, int64_t at,
            int64_t rows, int64_t key, const Range& seen, const Work& w) const {
    const int64_t from = seen.first, to = seen.end, first = query + at;
    tile_scores<P>(w.q_rows + first * q_stride_, q_stride_, rows, w.keys_t + from * words_, words_,
                   to - from, score_, w.scores + from, kStride);
    tile_scores<P>(w.grad_rows + first * q_stride_, q_stride_, rows, w.values_t + from * words_,
                   words_, to - from, Score<T>(1.0), w.slopes + from, kStride);
    for (int64_t i = 0; i < rows; i++) {
      T* score = w.scores + i * kStride;
      fill(score, to, round_up(to, V::size), Score<T>::hidden());
      if (!may_hide_) continue;
      hide(shape_.visibility, head, visible_range, score_, first + i, key, from, to, score);
      if (!w.finite) {
        note_visible(score + from, to - from, w.visible + (at + i) * kStride + from);
      }
    }
    if (shape_.dropout.threshold > 0) {
      const uint32_t stream = uint32_t(head.sequence * shape_.heads + head.head);
      dropout_multipliers(shape_.dropout, key + from, to - from, uint32_t(first), rows, stream, 1,
                          w.keep, kStride);
    }
    for (int64_t i = 0; i < rows; i += P::kDepth) {
      const int64_t words = (at + i) / P::kDepth * kStride;
      word_row(head, first + i, i, min(P::kDepth, rows - i), from, to, w.weights + words,
               w.grad_scores + words, w);
    }
    const T* slopes = w.slopes + from / P::kDepth;
    const T* keys = w.keys + from / P::kDepth * width_;
    T* out = w.grad_q + first * width_;
    if (w.finite) {
      add_products<P, false>(slopes, kStride, rows, words_of<P>(to - from), keys, width_, width_,
                             out, width_);
    } else {
      add_visible_products<P>({slopes, kStride, 1}, {w.visible + at * kStride + from, kStride, 1},
                              rows, to - from, keys, width_, width_, out, width_);
    }
  }

  // The rows of one word across the queries: row `row` of the tile, which is query `query`, and
  // those after it. dS also replaces dP, as elements of the product with the keys.
  PT_INLINE void word_row(const Head& head, int64_t query, int64_t row, int64_t rows, int64_t from,
                          int64_t to, T* weights, T* grad_scores, const Work& w) const {
    const T* statistics = static_cast<const T*>(args_.statistics) + head.first_statistic + query;
    const V lowest = V::broadcast(Score<T>::lowest()), exponent = V::broadcast(score_.exponent);
    const bool dropped = shape_.dropout.threshold > 0;
    V shift[P::kDepth], inverse_sum[P::kDepth], delta[P::kDepth];
    for (int d = 0; d < P::kDepth && d < rows; d++) {
      shift[d] = V::broadcast(statistics[d] < Score<T>::lowest() ? T(0) : statistics[d]);
      inverse_sum[d] = V::broadcast(statistics[shape_.heads * shape_.rows_q + d]);
      delta[d] = V::broadcast(w.delta[query + d]);
    }
    for (int64_t j = from; j < to; j += V::size) {
      V pd[P::kDepth], ds[P::kDepth];
      PT_UNROLL
      for (int d = 0; d < P::kDepth; d++) {
        pd[d] = ds[d] = V::zero();
        if (d >= rows) continue;
        T* const slope = w.slopes + (row + d) * kStride;
        const V s = V::load(w.scores + (row + d) * kStride + j);
        // Selected: a row whose statistics are NaN must not reach what it does not see.
        const V p = V::select_less(s, lowest, V::zero(),
                                   V::exp2((s - shift[d]) * exponent) * inverse_sum[d]);
        V dp = V::load(slope + j);
        pd[d] = p;
        if (dropped) {
          const V keep = V::load(w.keep + (row + d) * kStride + j - from);
          dp = dp * keep;
          pd[d] = p * keep;
        }
        // Selected, not multiplied: what is hidden may hold NaN in dp or delta.
        ds[d] = V::select_less(s, lowest, V::zero(), p * (dp - delta[d]));
        ds[d].store(reinterpret_cast<typename P::Element*>(slope) + j);
      }
      P::across_depth(pd).store(weights + j);
      P::across_depth(ds).store(grad_scores + j);
    }
  }

  void store_keys(const Head& head, int64_t key, int64_t keys, const Work& w) const {
    const V scale = V::broadcast(T(shape_.scale));
    for (int64_t j = 0; j < keys; j++) {
      store_row(w.grad_k + j * width_, scale, head.k<S>(args_.grad_k, key + j));
      store_row(w.grad_v + j * width_, V::broadcast(1), head.k<S>(args_.grad_v, key + j));
    }
  }

  PT_INLINE void store_row(const T* row, V factor, S* out) const {
    for (int64_t j = 0; j < depth_; j += V::size) {
      store_up_to(V::load(row + j) * factor, out + j, depth_ - j);
    }
  }

  const AttentionBackwardArgs& args_;
  const AttentionShape& shape_;
  const Score<T> score_;
  const int64_t depth_, words_, width_, q_stride_;
  const bool may_hide_;
};

}  // namespace

void attention_backward(const AttentionBackwardArgs& args) {
  with_storage(args.shape.type, [&](auto stored) { Backward<decltype(stored)>(args).run(); });
}

PT_ISA_END
