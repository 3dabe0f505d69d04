// Attention forward without tensor cores: online softmax over tiles of 32 keys, one for each lane.
//
// A warp owns kOwn queries. Keys and values of a tile take turns in one piece of shared memory, so
// that heads of 256 float64 columns fit.
#include "attention_plain.h"

namespace pt::cuda {
namespace {

template <class T, int kColumns>
class PlainForward {
 public:
  // Queries of a warp: as many as fit, where heads are wide.
  static constexpr int kOwn = sizeof(T) * kColumns > 32 ? 2 : 4, kRows = kOwn * kPlainWarps;
  using Shared = PlainShared<T, kColumns, kOwn, 1>;

  __device__ PlainForward(const AttentionForwardArgs& args, Shared& shared, const Head& head,
                          int first)
      : args_(args), shape_(args.shape), shared_(shared), head_(head),
        visible_range_(args.shape.visibility, head), score_(args.shape.scale), first_(first),
        warp_(int(threadIdx.x) / kWarp), own_(first + warp_ * kOwn) {}

  __device__ void run() {
#pragma unroll
    for (int r = 0; r < kOwn; r++) largest_[r] = Score<T>::hidden();
    load_own(head_.q<const T>(args_.q, own_), args_.q.row_stride, head_.queries - own_,
             shape_.head_dim, shared_.own[0][warp_]);
    const int last = min(first_ + kRows, head_.queries) - 1;
    const Range seen = visible_range_.of(first_, last);
    for (int key = seen.first / kPlainTile * kPlainTile; key < seen.end; key += kPlainTile) {
      tile(key);
    }
    finish();
  }

 private:
  __device__ void tile(int key) {
    T scores[kOwn];
    bool visible[kOwn];
    load_tile(head_.k<const T>(args_.k, key), args_.k.row_stride, head_.keys - key, shape_.head_dim,
              shared_.tile);
    multiply_rows(shared_.own[0][warp_], shared_.tile, shape_.head_dim, scores);
    const int own_key = key + int(threadIdx.x) % kWarp;
#pragma unroll
    for (int r = 0; r < kOwn; r++) {
      scores[r] =
          score_of(shape_.visibility, head_, visible_range_, score_, own_ + r, own_key, scores[r]);
      visible[r] = !Score<T>::is_hidden(scores[r]);
      soften(r, own_key, scores[r]);
    }
    load_tile(head_.k<const T>(args_.v, key), args_.v.row_stride, head_.keys - key, shape_.head_dim,
              shared_.tile);
    add_rows(scores, visible, shared_.tile, shape_.head_dim, shared_.factors[warp_], out_);
  }

  // The score becomes a weight; the row's maximum, sum and output so far follow.
  __device__ __forceinline__ void soften(int r, int key, T& score) {
    const T top = greater(largest_[r], lanes_max(score));
    // Nothing visible so far: any finite shift keeps the weights at 0.
    const T base = Score<T>::is_hidden(top) ? T(0) : top;
    const T shrink = binary_exp((largest_[r] - base) * score_.exponent);
    largest_[r] = top;
    score = binary_exp((score - base) * score_.exponent);
    sum_[r] = sum_[r] * shrink + score;
#pragma unroll
    for (int c = 0; c < kColumns; c++) out_[r][c] *= shrink;
    score *= attention_multiplier<T>(shape_, head_, own_ + r, key);
  }

  __device__ void finish() {
    T* largest = static_cast<T*>(args_.statistics) + head_.first_statistic(shape_);
    T* inverse_sum = largest + shape_.heads * shape_.rows_q;
    const int lane = threadIdx.x % kWarp;
#pragma unroll
    for (int r = 0; r < kOwn; r++) {
      const T sum = lanes_sum(sum_[r]);
      if (own_ + r >= head_.queries) continue;
      const bool fully_masked = Score<T>::is_hidden(largest_[r]) && sum == T(0);
      const T inverse = fully_masked ? T(0) : T(1) / sum;
      T* out = head_.q<T>(args_.out, own_ + r);
#pragma unroll
      for (int c = 0; c < kColumns; c++) {
        const int64_t d = lane + c * kWarp;
        if (d < shape_.head_dim) out[d] = fully_masked ? T(0) : out_[r][c] * inverse;
      }
      if (lane == 0) {
        largest[own_ + r] = largest_[r];
        inverse_sum[own_ + r] = inverse;
      }
    }
  }

  const AttentionForwardArgs& args_;
  const AttentionShape& shape_;
  Shared& shared_;
  const Head& head_;
  const VisibleRange visible_range_;
  const Score<T> score_;
  const int first_, warp_, own_;  // the block's first query, the warp and its first query
  T out_[kOwn][kColumns] = {};
  T largest_[kOwn];
  T sum_[kOwn] = {};  // this lane's part of it
};

template <class T, int kColumns>
__global__ void __launch_bounds__(kPlainThreads, 2)
    attend_plainly(const __grid_constant__ AttentionForwardArgs args) {
  using Forward = PlainForward<T, kColumns>;
  const BlockOfHead block(args.shape, args.shape.length_q, Forward::kRows);
  if (block.first >= block.head.queries) return;
  auto& shared = shared_layout<typename Forward::Shared>();
  Forward(args, shared, block.head, block.first).run();
}

template <class T>
Status forward(const AttentionForwardArgs& args, Queue& queue) {
  return with_columns(args.shape.head_dim, [&](auto columns) {
    using Forward = PlainForward<T, decltype(columns)::value>;
    return launch("attention_forward", attend_plainly<T, decltype(columns)::value>,
                  blocks_of_heads(args.shape, args.shape.length_q, Forward::kRows), kPlainThreads,
                  sizeof(typename Forward::Shared), queue, args);
  });
}

}  // namespace

Status attention_forward_plain(const AttentionForwardArgs& args, Queue& queue) {
  return args.shape.type == Type::float64 ? forward<double>(args, queue)
                                          : forward<float>(args, queue);
}

}  // namespace pt::cuda
