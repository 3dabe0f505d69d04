// Attention backward, without stored weights: they are computed again from the
// statistics of forward.
//
// Parallel over (sequence, head); nothing is shared between tasks. With P the weights, d the
// dropout multipliers, G = grad_out, delta[i] = G[i] . out[i]:
//   grad_v = (P d)^T G,  dP = (G v^T) d,  dS = P (dP - delta),
//   grad_q = scale dS k, grad_k = scale dS^T q.
// Blocks of keys are the outer loop (k and v transposed once per block, grad_k and grad_v finished
// per block), blocks of queries the inner one, so that every gradient is summed in one fixed order.
// P d and dS of a pair of blocks stay in the second-level cache and are read by rows for grad_q,
// by columns for grad_k and grad_v.
#include "attention_scores.h"
#include "parallel.h"
#include "scratch.h"

PT_ISA_BEGIN

void attention_backward(const AttentionBackwardArgs& args);

namespace {

template <class S>
class Backward {
 public:
  using T = Compute<S>;
  using V = Vector<T>;
  using K = Tile<Single<T>>;
  static constexpr int64_t kQueryBlock = 112;
  static constexpr int64_t kKeys = kKeyBlock / 2;
  static constexpr int64_t kStride = kKeys + 16;

  explicit Backward(const AttentionBackwardArgs& args)
      : args_(args), shape_(args.shape), depth_(args.shape.head_dim),
        width_(round_up(depth_, K::kWidth)), may_hide_(may_hide(args.shape.visibility)) {}

  void run() const {
    parallel_for(shape_.batch * shape_.heads, [&](int64_t task) {
      one_head(Head(shape_, task / shape_.heads, task % shape_.heads));
    });
  }

 private:
  struct Work {
    T *q, *grad, *grad_q, *delta;  // [queries, width] each, [queries]
    T *keys_t, *values_t;  // panels [kKeys][depth] transposed
    T *keys, *grad_k, *grad_v;  // [kKeys, width]
    T *weights, *grad_scores;  // P d and dS: [kQueryBlock, kStride]
    T* keep;  // [kStride]
    uint8_t* visible;  // [kQueryBlock, kStride]
    bool queries_finite, finite;
  };

  void one_head(const Head& head) const {
    Scratch scratch;
    Work w = allocate(scratch, head.queries);
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

  Work allocate(Scratch& scratch, int64_t queries) const {
    Work w;
    w.q = scratch.take<T>(queries * width_);
    w.grad = scratch.take<T>(queries * width_);
    w.grad_q = scratch.take<T>(queries * width_);
    w.delta = scratch.take<T>(queries);
    w.keys_t = scratch.take<T>(kKeys * depth_);
    w.values_t = scratch.take<T>(kKeys * depth_);
    w.keys = scratch.take<T>(kKeys * width_);
    w.grad_k = scratch.take<T>(kKeys * width_);
    w.grad_v = scratch.take<T>(kKeys * width_);
    w.weights = scratch.take<T>(kQueryBlock * kStride);
    w.grad_scores = scratch.take<T>(kQueryBlock * kStride);
    w.keep = scratch.take<T>(kStride + kWords);
    w.visible = scratch.take<uint8_t>(kQueryBlock * kStride);
    return w;
  }

  void load_queries(const Head& head, Work& w) const {
    const int64_t n = head.queries;
    copy_rows(head.q<S>(args_.q, 0), args_.q.row_stride, n, depth_, w.q, width_, width_);
    copy_rows(head.q<S>(args_.grad_out, 0), args_.grad_out.row_stride, n, depth_, w.grad, width_,
              width_);
    for (int64_t i = 0; i < n; i++) {
      const S* out = head.q<S>(args_.out, i);
      V sum = V::zero();
      for (int64_t j = 0; j < width_; j += V::size) {
        V::zero().store(w.grad_q + i * width_ + j);
        if (j < depth_) {
          sum = V::fma(load_up_to<V>(out + j, depth_ - j), V::load(w.grad + i * width_ + j), sum);
        }
      }
      w.delta[i] = sum.sum();
    }
    w.queries_finite =
        !may_hide_ || (all_finite(w.q, n * width_) && all_finite(w.grad, n * width_));
  }

  void load_keys(const Head& head, int64_t key, int64_t keys, Work& w) const {
    pack_keys(head.k<S>(args_.k, key), args_.k.row_stride, keys, depth_, T(shape_.scale * kLog2e),
              w.keys_t);
    pack_keys(head.k<S>(args_.v, key), args_.v.row_stride, keys, depth_, T(1), w.values_t);
    copy_rows(head.k<S>(args_.k, key), args_.k.row_stride, keys, depth_, w.keys, width_, width_);
    for (int64_t i = 0; i < keys * width_; i += V::size) {
      V::zero().store(w.grad_k + i);
      V::zero().store(w.grad_v + i);
    }
    w.finite = w.queries_finite && (!may_hide_ || all_finite(w.keys, keys * width_));
  }

  void block(const Head& head, const VisibleRange& visible_range, int64_t query, int64_t queries,
             int64_t key, int64_t keys, const Work& w) const {
    const Range seen = visible_range.of(query, query + queries - 1);
    const int64_t from = max(0, seen.first - key) / K::kWidth * K::kWidth;
    const int64_t to = min(keys, seen.end - key);
    if (from >= to) return;
    const int64_t step = even_tile<T>(queries);
    for (int64_t i = 0; i < queries; i += step) {
      const int64_t rows = min(step, queries - i);
      scores(head, visible_range, query, i, rows, key, from, to, w);
      T* out = w.grad_q + (query + i) * width_;
      const int64_t at = i * kStride + from;
      if (w.finite) {
        add_products<T, false>(w.grad_scores + at, kStride, rows, to - from, w.keys + from * width_,
                               width_, width_, out, width_);
      } else {
        add_visible_products(w.grad_scores + at, w.visible + at, kStride, 1, rows, to - from,
                             w.keys + from * width_, width_, width_, out, width_);
      }
    }
    const int64_t key_step = even_tile<T>(to - from);
    for (int64_t j = from; j < to; j += key_step) {
      const int64_t rows = min(key_step, to - j);
      by_columns(w.weights + j, w.visible + j, rows, queries, w.grad + query * width_,
                 w.grad_v + j * width_, w.finite);
      by_columns(w.grad_scores + j, w.visible + j, rows, queries, w.q + query * width_,
                 w.grad_k + j * width_, w.finite);
    }
  }

  PT_INLINE void by_columns(const T* a, const uint8_t* visible, int64_t rows, int64_t queries,
                            const T* b, T* out, bool finite) const {
    if (finite) {
      add_products<T, true>(a, kStride, rows, queries, b, width_, width_, out, width_);
    } else {
      add_visible_products(a, visible, 1, kStride, rows, queries, b, width_, width_, out, width_);
    }
  }

  // P d and dS for queries query + at .. against keys key + from .. key + to.
  void scores(const Head& head, const VisibleRange& visible_range, int64_t query, int64_t at,
              int64_t rows, int64_t key, int64_t from, int64_t to, const Work& w) const {
    T* weights = w.weights + at * kStride;
    T* grad_scores = w.grad_scores + at * kStride;
    const int64_t row = (query + at) * width_;
    tile_scores(w.q + row, width_, rows, w.keys_t + from * depth_, depth_, to - from,
                weights + from, kStride);
    tile_scores(w.grad + row, width_, rows, w.values_t + from * depth_, depth_, to - from,
                grad_scores + from, kStride);
    for (int64_t i = 0; i < rows; i++) {
      T* score = weights + i * kStride;
      for (int64_t j = to; j < round_up(to, V::size); j++) score[j] = Score<T>::hidden();
      if (may_hide_) {
        hide(shape_.visibility, head, visible_range, query + at + i, key, from, to, score);
        if (!w.finite) {
          note_visible(score + from, to - from, w.visible + (at + i) * kStride + from);
        }
      }
      one_row(head, query + at + i, key, from, to, score, grad_scores + i * kStride, w);
    }
  }

  PT_INLINE void one_row(const Head& head, int64_t query, int64_t key, int64_t from, int64_t to,
                         T* score, T* slope, const Work& w) const {
    const T* statistics = static_cast<const T*>(args_.statistics) + head.first_statistic + query;
    const V shift = V::broadcast(statistics[0] < Score<T>::lowest() ? T(0) : statistics[0]);
    const V inverse_sum = V::broadcast(statistics[shape_.heads * shape_.rows_q]);
    const V delta = V::broadcast(w.delta[query]);
    const V lowest = V::broadcast(Score<T>::lowest());
    const bool dropped = shape_.dropout.threshold > 0;
    if (dropped) {
      const uint32_t stream = uint32_t(head.sequence * shape_.heads + head.head);
      dropout_multipliers(shape_.dropout, key + from, to - from, uint32_t(query), stream, 1,
                          w.keep);
    }
    for (int64_t j = from; j < to; j += V::size) {
      const V s = V::load(score + j);
      // Selected: a row whose statistics are NaN must not reach what it does not see.
      const V p = V::select_less(s, lowest, V::zero(), V::exp2(s - shift) * inverse_sum);
      V dp = V::load(slope + j);
      V pd = p;
      if (dropped) {
        const V keep = V::load(w.keep + j - from);
        dp = dp * keep;
        pd = p * keep;
      }
      pd.store(score + j);
      // Selected, not multiplied: what is hidden may hold NaN in dp or delta.
      V::select_less(s, lowest, V::zero(), p * (dp - delta)).store(slope + j);
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
  const int64_t depth_, width_;
  const bool may_hide_;
};

}  // namespace

void attention_backward(const AttentionBackwardArgs& args) {
  switch (args.shape.type) {
    case Type::float32:
      return Backward<float>(args).run();
    case Type::bfloat16:
      return Backward<bfloat16>(args).run();
    case Type::float64:
      return Backward<double>(args).run();
  }
}

PT_ISA_END
