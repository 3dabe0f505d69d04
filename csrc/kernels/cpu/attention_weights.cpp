// The attention weights themselves, and their gradient: for looking at attention, so a plain path.
//
// Parallel over (sequence, head). A tile of queries computes its scores against all keys into one
// buffer [tile, keys]; a row becomes weights in three passes. Backward computes them again and sums
// grad_k tile by tile in order.
#include "attention_products.h"
#include "parallel.h"
#include "scratch.h"

PT_ISA_BEGIN

void attention_weights_forward(const AttentionWeightsForwardArgs& args);
void attention_weights_backward(const AttentionWeightsBackwardArgs& args);

namespace {

template <class S>
class Weights {
 public:
  using T = Compute<S>;
  using P = Single<T>;
  using V = Vector<T>;
  using K = Tile<P>;

  Weights(const AttentionShape& shape, const HeadRows& q, const HeadRows& k, const Head& head)
      : shape_(shape), head_(head), visible_range_(shape.visibility, head), score_(shape.scale),
        depth_(shape.head_dim), width_(round_up(depth_, K::kWidth)),
        stride_(round_up(head.keys, K::kWidth) + 16),
        stream_(uint32_t(head.sequence * shape.heads + head.head)) {
    q_ = scratch_.take<T>(K::kRows * width_);
    keys_ = scratch_.take<T>(round_up(head.keys, K::kWidth) * depth_);
    scores_ = scratch_.take<T>(K::kRows * stride_);
    keep_ = scratch_.take<T>(stride_ + kWords);
    q_rows_ = q;
    pack_keys<P>(head.k<S>(k, 0), k.row_stride, head.keys, depth_, keys_);
  }

  int64_t stride() const { return stride_; }
  T* row(int64_t i) const { return scores_ + i * stride_; }
  const T* queries() const { return q_; }
  // The dropout multipliers of the row computed last.
  const T* keep() const { return keep_; }
  bool dropped() const { return shape_.dropout.threshold > 0; }

  // Rows of scores for queries first .. first + rows, hidden ones at -infinity.
  void compute_scores(int64_t first, int64_t rows) const {
    copy_rows(head_.q<S>(q_rows_, first), q_rows_.row_stride, rows, depth_, q_, width_, width_);
    tile_scores<P>(q_, width_, rows, keys_, depth_, head_.keys, score_, scores_, stride_);
    for (int64_t i = 0; i < rows; i++) {
      T* scores = row(i);
      fill(scores, head_.keys, stride_, Score<T>::hidden());
      hide(shape_.visibility, head_, visible_range_, score_, first + i, 0, 0, head_.keys, scores);
    }
  }

  // Row i of scores becomes weights before dropout; 0 throughout when nothing is visible.
  void softmax_row(int64_t i, int64_t query) const {
    T* scores = row(i);
    const int64_t n = round_up(head_.keys, V::size);
    V top = V::broadcast(Score<T>::hidden());
    for (int64_t j = 0; j < n; j += V::size) top = V::max(top, V::load(scores + j));
    const T maximum = top.maximum();
    const bool fully_masked = maximum < Score<T>::lowest();
    const V shift = V::broadcast(fully_masked ? T(0) : maximum);
    const V lowest = V::broadcast(Score<T>::lowest());
    V sum = V::zero();
    for (int64_t j = 0; j < n; j += V::size) {
      const V weight = V::exp2((V::load(scores + j) - shift) * V::broadcast(score_.exponent));
      sum = sum + weight;
      // The sign marks the hidden: they are 0 also when the row's sum is NaN.
      V::select_less(V::load(scores + j), lowest, V::broadcast(T(-1)), weight).store(scores + j);
    }
    const T total = sum.sum();
    const V factor = V::broadcast(total == T(0) ? T(0) : T(1) / total);
    for (int64_t j = 0; j < n; j += V::size) {
      const V weight = V::load(scores + j);
      V::select_less(weight, V::zero(), V::zero(), weight * factor).store(scores + j);
    }
    if (dropped()) {
      dropout_multipliers(shape_.dropout, 0, n, uint32_t(query), stream_, 1, keep_);
    }
  }

 private:
  Scratch scratch_;
  const AttentionShape& shape_;
  const Head& head_;
  const VisibleRange visible_range_;
  const Score<T> score_;
  const int64_t depth_, width_, stride_;
  const uint32_t stream_;
  HeadRows q_rows_;
  T *q_, *keys_, *scores_, *keep_;
};

template <class S>
void forward_head(const AttentionWeightsForwardArgs& args, const Head& head) {
  using T = Compute<S>;
  using V = Vector<T>;
  S* out = static_cast<S*>(args.weights) +
           (head.sequence * args.shape.heads + head.head) * args.max_q * args.max_k;
  const Weights<S> weights(args.shape, args.q, args.k, head);
  for (int64_t i = 0; i < args.max_q; i += Tile<Single<T>>::kRows) {
    const int64_t rows = min(Tile<Single<T>>::kRows, head.queries - i);
    if (rows > 0) weights.compute_scores(i, rows);
    for (int64_t r = 0; r < min(Tile<Single<T>>::kRows, args.max_q - i); r++) {
      S* to = out + (i + r) * args.max_k;
      const bool exists = r < rows;
      if (exists) weights.softmax_row(r, i + r);
      for (int64_t j = 0; j < args.max_k; j += V::size) {
        V x = V::zero();
        if (exists && j < head.keys) {
          x = load_up_to<V>(weights.row(r) + j, head.keys - j);
          if (weights.dropped()) x = x * load_up_to<V>(weights.keep() + j, head.keys - j);
        }
        store_up_to(x, to + j, args.max_k - j);
      }
    }
  }
}

template <class S>
class BackwardHead {
 public:
  using T = Compute<S>;
  using V = Vector<T>;
  using K = Tile<Single<T>>;

  BackwardHead(const AttentionWeightsBackwardArgs& args, const Head& head)
      : args_(args), head_(head), depth_(args.shape.head_dim), width_(round_up(depth_, K::kWidth)) {
  }

  void run() const {
    const Weights<S> weights(args_.shape, args_.q, args_.k, head_);
    Scratch scratch;
    T* keys = scratch.take<T>(head_.keys * width_);
    T* grad_k = scratch.take<T>(head_.keys * width_);
    T* grad_q = scratch.take<T>(K::kRows * width_);
    uint8_t* visible = scratch.take<uint8_t>(K::kRows * weights.stride());
    copy_rows(head_.k<S>(args_.k, 0), args_.k.row_stride, head_.keys, depth_, keys, width_, width_);
    fill(grad_k, 0, head_.keys * width_, T(0));
    for (int64_t i = 0; i < head_.queries; i += K::kRows) {
      const int64_t rows = min(K::kRows, head_.queries - i);
      weights.compute_scores(i, rows);
      for (int64_t r = 0; r < rows; r++) {
        note_visible(weights.row(r), head_.keys, visible + r * weights.stride());
        weights.softmax_row(r, i + r);
        grad_scores(weights, r, i + r, visible + r * weights.stride());
      }
      fill(grad_q, 0, rows * width_, T(0));
      const T* ds = weights.row(0);
      const int64_t step = weights.stride();
      add_visible_products<Single<T>>({ds, step, 1}, {visible, step, 1}, rows, head_.keys, keys,
                                      width_, width_, grad_q, width_);
      add_visible_products<Single<T>>({ds, 1, step}, {visible, 1, step}, head_.keys, rows,
                                      weights.queries(), width_, width_, grad_k, width_);
      for (int64_t r = 0; r < rows; r++) {
        store(grad_q + r * width_, head_.q<S>(args_.grad_q, i + r));
      }
    }
    for (int64_t j = 0; j < head_.keys; j++) {
      store(grad_k + j * width_, head_.k<S>(args_.grad_k, j));
    }
  }

 private:
  // The row of weights P becomes dS = P (dP - sum of P dP), dP = the incoming gradient after
  // dropout, over the visible slots.
  void grad_scores(const Weights<S>& weights, int64_t r, int64_t query,
                   const uint8_t* visible) const {
    const S* grad =
        static_cast<const S*>(args_.grad_weights) +
        ((head_.sequence * args_.shape.heads + head_.head) * args_.max_q + query) * args_.max_k;
    T* p = weights.row(r);
    T total = 0;
    for (int64_t j = 0; j < head_.keys; j++) {
      if (visible[j] != 0) total += p[j] * incoming(weights, grad, j);
    }
    for (int64_t j = 0; j < head_.keys; j++) {
      if (visible[j] != 0) p[j] *= incoming(weights, grad, j) - total;
    }
  }
  PT_INLINE T incoming(const Weights<S>& weights, const S* grad, int64_t j) const {
    T x;
    convert(x, grad[j]);
    return weights.dropped() ? x * weights.keep()[j] : x;
  }
  PT_INLINE void store(const T* row, S* out) const {
    const V scale = V::broadcast(T(args_.shape.scale));
    for (int64_t j = 0; j < depth_; j += V::size) {
      store_up_to(V::load(row + j) * scale, out + j, depth_ - j);
    }
  }

  const AttentionWeightsBackwardArgs& args_;
  const Head& head_;
  const int64_t depth_, width_;
};

template <class Args, class Body>
void for_each_head(const Args& args, const Body& body) {
  parallel_for(args.shape.batch * args.shape.heads, [&](int64_t task) {
    body(Head(args.shape, task / args.shape.heads, task % args.shape.heads));
  });
}

template <class S>
void forward_as(const AttentionWeightsForwardArgs& args) {
  for_each_head(args, [&](const Head& head) { forward_head<S>(args, head); });
}
template <class S>
void backward_as(const AttentionWeightsBackwardArgs& args) {
  for_each_head(args, [&](const Head& head) { BackwardHead<S>(args, head).run(); });
}

}  // namespace

void attention_weights_forward(const AttentionWeightsForwardArgs& args) {
  with_storage(args.shape.type, [&](auto stored) { forward_as<decltype(stored)>(args); });
}

void attention_weights_backward(const AttentionWeightsBackwardArgs& args) {
  with_storage(args.shape.type, [&](auto stored) { backward_as<decltype(stored)>(args); });
}

PT_ISA_END
