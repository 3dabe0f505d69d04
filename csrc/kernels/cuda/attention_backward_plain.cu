// Attention backward without tensor cores: what attention_backward.cu does, with a warp for a few
// rows of one side and a lane for each row of a tile of the other side. Operands of the other side
// take turns in one piece of shared memory, so that heads of 256 float64 columns fit.
#include "attention_deltas.h"
#include "attention_plain.h"

namespace pt::cuda {
namespace {

constexpr int kOwn = 2, kRows = kOwn * kPlainWarps;

// One side's rows: its own two operands (keys and values; or queries and their gradients).
template <class T, int kColumns>
class PlainBackward {
 public:
  using Shared = PlainShared<T, kColumns, kOwn, 2>;

  __device__ PlainBackward(const AttentionBackwardArgs& args, const T* deltas, Shared& shared,
                           const Head& head, int first)
      : args_(args), shape_(args.shape), deltas_(deltas), shared_(shared), head_(head),
        visible_range_(args.shape.visibility, head), score_(args.shape.scale), first_(first),
        warp_(int(threadIdx.x) / kWarp), lane_(int(threadIdx.x) % kWarp),
        own_(first + warp_ * kOwn) {}

  __device__ void key_gradients() {
    own_rows(head_.k<const T>(args_.k, own_), args_.k.row_stride, head_.keys, 0);
    own_rows(head_.k<const T>(args_.v, own_), args_.v.row_stride, head_.keys, 1);
    const Range seeing = visible_range_.seeing(first_, min(first_ + kRows, head_.keys) - 1);
    T grad_k[kOwn][kColumns] = {}, grad_v[kOwn][kColumns] = {};
    for (int query = seeing.first / kPlainTile * kPlainTile; query < seeing.end;
         query += kPlainTile) {
      T weights[kOwn], slopes[kOwn];
      bool visible[kOwn];
      other_queries(args_.q, query);
      multiply_rows(shared_.own[0][warp_], shared_.tile, shape_.head_dim, weights);
      other_queries(args_.grad_out, query);
      multiply_rows(shared_.own[1][warp_], shared_.tile, shape_.head_dim, slopes);
#pragma unroll
      for (int r = 0; r < kOwn; r++) {
        visible[r] = weigh(query + lane_, own_ + r, weights[r], slopes[r]);
      }
      add_rows(weights, visible, shared_.tile, shape_.head_dim, shared_.factors[warp_], grad_v);
      other_queries(args_.q, query);
      add_rows(slopes, visible, shared_.tile, shape_.head_dim, shared_.factors[warp_], grad_k);
    }
#pragma unroll
    for (int r = 0; r < kOwn; r++) {
      if (own_ + r >= head_.keys) continue;
      store_row(grad_k[r], T(shape_.scale), shape_.head_dim, head_.k<T>(args_.grad_k, own_ + r));
      store_row(grad_v[r], T(1), shape_.head_dim, head_.k<T>(args_.grad_v, own_ + r));
    }
  }

  __device__ void query_gradients() {
    own_rows(head_.q<const T>(args_.q, own_), args_.q.row_stride, head_.queries, 0);
    own_rows(head_.q<const T>(args_.grad_out, own_), args_.grad_out.row_stride, head_.queries, 1);
    const Range seen = visible_range_.of(first_, min(first_ + kRows, head_.queries) - 1);
    T grad_q[kOwn][kColumns] = {};
    for (int key = seen.first / kPlainTile * kPlainTile; key < seen.end; key += kPlainTile) {
      T weights[kOwn], slopes[kOwn];
      bool visible[kOwn];
      other_keys(args_.v, key);
      multiply_rows(shared_.own[1][warp_], shared_.tile, shape_.head_dim, slopes);
      other_keys(args_.k, key);
      multiply_rows(shared_.own[0][warp_], shared_.tile, shape_.head_dim, weights);
#pragma unroll
      for (int r = 0; r < kOwn; r++) {
        visible[r] = weigh(own_ + r, key + lane_, weights[r], slopes[r]);
      }
      add_rows(slopes, visible, shared_.tile, shape_.head_dim, shared_.factors[warp_], grad_q);
    }
#pragma unroll
    for (int r = 0; r < kOwn; r++) {
      if (own_ + r >= head_.queries) continue;
      store_row(grad_q[r], T(shape_.scale), shape_.head_dim, head_.q<T>(args_.grad_q, own_ + r));
    }
  }

 private:
  __device__ __forceinline__ void own_rows(const T* from, int64_t stride, int rows, int side) {
    load_own(from, stride, rows - own_, shape_.head_dim, shared_.own[side][warp_]);
  }
  __device__ __forceinline__ void other_queries(const HeadRows& rows, int query) {
    load_tile(head_.q<const T>(rows, query), rows.row_stride, head_.queries - query,
              shape_.head_dim, shared_.tile);
  }
  __device__ __forceinline__ void other_keys(const HeadRows& rows, int key) {
    load_tile(head_.k<const T>(rows, key), rows.row_stride, head_.keys - key, shape_.head_dim,
              shared_.tile);
  }

  // q k becomes P d, G v becomes dS; both 0 where the pair is hidden. Returns whether it is not.
  __device__ __forceinline__ bool weigh(int query, int key, T& weight, T& slope) const {
    const T score = score_of(shape_.visibility, head_, visible_range_, score_, query, key, weight);
    if (Score<T>::is_hidden(score)) {
      weight = slope = 0;
      return false;
    }
    const int64_t at = head_.first_statistic(shape_) + query;
    const T* statistics = static_cast<const T*>(args_.statistics);
    const T largest = statistics[at], inverse_sum = statistics[shape_.heads * shape_.rows_q + at];
    const T shift = Score<T>::is_hidden(largest) ? T(0) : largest;
    const T p = binary_exp((score - shift) * score_.exponent) * inverse_sum;
    const T keep = attention_multiplier<T>(shape_, head_, query, key);
    weight = p * keep;
    slope = p * (slope * keep - deltas_[at]);
    return true;
  }

  const AttentionBackwardArgs& args_;
  const AttentionShape& shape_;
  const T* deltas_;
  Shared& shared_;
  const Head& head_;
  const VisibleRange visible_range_;
  const Score<T> score_;
  const int first_, warp_, lane_, own_;  // the block's first row; the warp's
};

template <class T, int kColumns>
__global__ void __launch_bounds__(kPlainThreads, 2)
    key_gradients(const __grid_constant__ AttentionBackwardArgs args, const T* deltas) {
  const BlockOfHead block(args.shape, args.shape.length_k, kRows);
  if (block.first >= block.head.keys) return;
  auto& shared = shared_layout<typename PlainBackward<T, kColumns>::Shared>();
  PlainBackward<T, kColumns>(args, deltas, shared, block.head, block.first).key_gradients();
}

template <class T, int kColumns>
__global__ void __launch_bounds__(kPlainThreads, 2)
    query_gradients(const __grid_constant__ AttentionBackwardArgs args, const T* deltas) {
  const BlockOfHead block(args.shape, args.shape.length_q, kRows);
  if (block.first >= block.head.queries) return;
  auto& shared = shared_layout<typename PlainBackward<T, kColumns>::Shared>();
  PlainBackward<T, kColumns>(args, deltas, shared, block.head, block.first).query_gradients();
}

template <class T>
Status backward(const AttentionBackwardArgs& args, Queue& queue) {
  const T* deltas = nullptr;
  const bool aligned = heads_are_aligned<T>(args.shape.head_dim, args.out, args.grad_out);
  Status status = attention_deltas<T>(args, aligned, queue, deltas);
  if (status.failed()) return status;
  return with_columns(args.shape.head_dim, [&](auto columns) {
    constexpr int kColumns = decltype(columns)::value;
    const auto start = [&](auto* kernel, int64_t length) {
      if (length == 0) return Status{};
      return launch("attention_backward", kernel, dim3(blocks_of_heads(args.shape, length, kRows)),
                    kPlainThreads, sizeof(typename PlainBackward<T, kColumns>::Shared), queue, args,
                    deltas);
    };
    status = start(key_gradients<T, kColumns>, args.shape.length_k);
    if (status.failed()) return status;
    return start(query_gradients<T, kColumns>, args.shape.length_q);
  });
}

}  // namespace

Status attention_backward_plain(const AttentionBackwardArgs& args, Queue& queue) {
  return args.shape.type == Type::float64 ? backward<double>(args, queue)
                                          : backward<float>(args, queue);
}

}  // namespace pt::cuda
