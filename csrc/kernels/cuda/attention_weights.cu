// Attention's weights themselves, for those who look at them, and their gradients; plain arithmetic
// for rows of any type. Nothing is kept between forward and backward: products are computed again
// for each of the sums that a softmax needs, which costs less than memory for them would.
#include "attention_plain.h"

namespace pt::cuda {
namespace {

constexpr int kOwn = 2, kRows = kOwn * kPlainWarps;

// What turns a query's score into its weight 2^((score - base) exponent) inverse_sum, and the sum
// of its weights times their gradients.
template <class T>
struct QueryStatistics {
  T base, inverse_sum, total;
  __device__ __forceinline__ T weight(const Score<T>& score, T x) const {
    return Score<T>::is_hidden(x) ? T(0) : binary_exp((x - base) * score.exponent) * inverse_sum;
  }
};

// An element of weights or their gradients: [batch, heads, max_q, max_k].
struct WeightsPlace {
  int64_t first, max_k;
  __device__ __forceinline__ WeightsPlace(const AttentionShape& shape, const Head& head,
                                          int64_t max_q, int64_t max_k)
      : first((head.sequence * shape.heads + head.head) * max_q), max_k(max_k) {}
  __device__ __forceinline__ int64_t at(int64_t query, int64_t key) const {
    return (first + query) * max_k + key;
  }
};

// A warp's queries and their scores, tile of keys by tile.
template <class S, int kColumns>
class QueryRows {
 public:
  using T = Compute<S>;
  using Shared = PlainShared<T, kColumns, kOwn, 1>;

  __device__ QueryRows(const AttentionShape& shape, const HeadRows& q, const HeadRows& k,
                       Shared& shared, const Head& head, int first)
      : score(shape.scale), own(first + int(threadIdx.x) / kWarp * kOwn), shape_(shape), k_(k),
        shared_(shared), head_(head), visible_range_(shape.visibility, head),
        seen_(visible_range_.of(first, min(first + kRows, head.queries) - 1)) {
    load_own(head.q<const S>(q, own), q.row_stride, head.queries - own, shape.head_dim, own_rows());
  }

  // body(the lane's key, the scores of the warp's queries with it) for every tile that any query
  // of the block sees; the tile lies in shared memory.
  template <class Body>
  __device__ __forceinline__ void for_tiles(const Body& body) {
    for (int first = seen_.first / kPlainTile * kPlainTile; first < seen_.end;
         first += kPlainTile) {
      load_tile(head_.k<const S>(k_, first), k_.row_stride, head_.keys - first, shape_.head_dim,
                shared_.tile);
      const int key = first + int(threadIdx.x) % kWarp;
      T scores[kOwn];
      multiply_rows(own_rows(), shared_.tile, shape_.head_dim, scores);
#pragma unroll
      for (int r = 0; r < kOwn; r++) {
        scores[r] =
            score_of(shape_.visibility, head_, visible_range_, score, own + r, key, scores[r]);
      }
      body(key, scores);
    }
  }

  __device__ void find_statistics() {
    T largest[kOwn], sum[kOwn] = {};
#pragma unroll
    for (int r = 0; r < kOwn; r++) largest[r] = Score<T>::hidden();
    for_tiles([&](int, const T(&scores)[kOwn]) {
#pragma unroll
      for (int r = 0; r < kOwn; r++) {
        const T top = greater(largest[r], lanes_max(scores[r]));
        // Nothing visible so far: any finite base keeps the weights at 0.
        const T base = Score<T>::is_hidden(top) ? T(0) : top;
        sum[r] = sum[r] * binary_exp((largest[r] - base) * score.exponent) +
                 binary_exp((scores[r] - base) * score.exponent);
        largest[r] = top;
      }
    });
#pragma unroll
    for (int r = 0; r < kOwn; r++) {
      const T all = lanes_sum(sum[r]);
      const bool nothing = Score<T>::is_hidden(largest[r]);
      statistics[r] = {nothing ? T(0) : largest[r], nothing && all == T(0) ? T(0) : T(1) / all, 0};
    }
  }

  __device__ __forceinline__ auto& own_rows() { return shared_.own[0][threadIdx.x / kWarp]; }

  const Score<T> score;
  const int own;  // the warp's first query
  QueryStatistics<T> statistics[kOwn];

 private:
  const AttentionShape& shape_;
  const HeadRows& k_;
  Shared& shared_;
  const Head& head_;
  const VisibleRange visible_range_;
  const Range seen_;
};

template <class S, int kColumns>
__global__ void __launch_bounds__(kPlainThreads, 2)
    write_weights(const __grid_constant__ AttentionWeightsForwardArgs args) {
  using T = Compute<S>;
  using Rows = QueryRows<S, kColumns>;
  const AttentionShape& shape = args.shape;
  const BlockOfHead block(shape, args.max_q, kRows);
  const WeightsPlace place(shape, block.head, args.max_q, args.max_k);
  S* weights = static_cast<S*>(args.weights);
  // Zeros first, also beyond the sequence's ends; each lane overwrites what is its own.
  const int own = block.first + int(threadIdx.x) / kWarp * kOwn;
  for (int r = 0; r < kOwn && own + r < args.max_q; r++) {
    for (int64_t key = threadIdx.x % kWarp; key < args.max_k; key += kWarp) {
      weights[place.at(own + r, key)] = narrowed<S>(T(0));
    }
  }
  if (block.first >= block.head.queries) return;
  auto& shared = shared_layout<typename Rows::Shared>();
  Rows rows(shape, args.q, args.k, shared, block.head, block.first);
  rows.find_statistics();
  rows.for_tiles([&](int key, const T(&scores)[kOwn]) {
#pragma unroll
    for (int r = 0; r < kOwn; r++) {
      const int query = rows.own + r;
      if (query >= block.head.queries || key >= block.head.keys) continue;
      const T weight = rows.statistics[r].weight(rows.score, scores[r]) *
                       attention_multiplier<T>(shape, block.head, query, key);
      weights[place.at(query, key)] = narrowed<S>(weight);
    }
  });
}

// grad_q; leaves the statistics of its queries for the other kernel.
template <class S, int kColumns>
__global__ void __launch_bounds__(kPlainThreads, 2)
    weights_query_gradients(const __grid_constant__ AttentionWeightsBackwardArgs args,
                            QueryStatistics<Compute<S>>* statistics) {
  using T = Compute<S>;
  using Rows = QueryRows<S, kColumns>;
  const AttentionShape& shape = args.shape;
  const BlockOfHead block(shape, shape.length_q, kRows);
  const Head& head = block.head;
  if (block.first >= head.queries) return;
  const WeightsPlace place(shape, head, args.max_q, args.max_k);
  const S* grad_weights = static_cast<const S*>(args.grad_weights);
  auto& shared = shared_layout<typename Rows::Shared>();
  Rows rows(shape, args.q, args.k, shared, head, block.first);
  rows.find_statistics();
  // The weight before dropout, and the gradient that reaches it.
  const auto weight_and_slope = [&](int r, int key, T score, T& weight, T& slope) {
    weight = slope = 0;
    if (Score<T>::is_hidden(score)) return false;
    const int query = rows.own + r;
    weight = rows.statistics[r].weight(rows.score, score);
    slope = widened(grad_weights[place.at(query, key)]) *
            attention_multiplier<T>(shape, head, query, key);
    return true;
  };
  T total[kOwn] = {};
  rows.for_tiles([&](int key, const T(&scores)[kOwn]) {
#pragma unroll
    for (int r = 0; r < kOwn; r++) {
      T weight, slope;
      weight_and_slope(r, key, scores[r], weight, slope);
      total[r] += weight * slope;
    }
  });
#pragma unroll
  for (int r = 0; r < kOwn; r++) total[r] = lanes_sum(total[r]);
  T grad_q[kOwn][kColumns] = {};
  rows.for_tiles([&](int key, const T(&scores)[kOwn]) {
    T slopes[kOwn];
    bool visible[kOwn];
#pragma unroll
    for (int r = 0; r < kOwn; r++) {
      T weight, slope;
      visible[r] = weight_and_slope(r, key, scores[r], weight, slope);
      slopes[r] = visible[r] ? weight * (slope - total[r]) : T(0);
    }
    add_rows(slopes, visible, shared.tile, shape.head_dim, shared.factors[threadIdx.x / kWarp],
             grad_q);
  });
#pragma unroll
  for (int r = 0; r < kOwn; r++) {
    const int query = rows.own + r;
    if (query >= head.queries) continue;
    store_row(grad_q[r], T(shape.scale), shape.head_dim, head.q<S>(args.grad_q, query));
    if (threadIdx.x % kWarp == 0) {
      statistics[place.first + query] = {rows.statistics[r].base, rows.statistics[r].inverse_sum,
                                         total[r]};
    }
  }
}

// grad_k: a warp owns keys, each lane one query of a tile.
template <class S, int kColumns>
__global__ void __launch_bounds__(kPlainThreads, 2)
    weights_key_gradients(const __grid_constant__ AttentionWeightsBackwardArgs args,
                          const QueryStatistics<Compute<S>>* statistics) {
  using T = Compute<S>;
  const AttentionShape& shape = args.shape;
  const BlockOfHead block(shape, shape.length_k, kRows);
  const Head& head = block.head;
  if (block.first >= head.keys) return;
  const int warp = int(threadIdx.x) / kWarp, own = block.first + warp * kOwn;
  const WeightsPlace place(shape, head, args.max_q, args.max_k);
  const VisibleRange visible_range(shape.visibility, head);
  const Score<T> score(shape.scale);
  auto& shared = shared_layout<PlainShared<T, kColumns, kOwn, 1>>();
  load_own(head.k<const S>(args.k, own), args.k.row_stride, head.keys - own, shape.head_dim,
           shared.own[0][warp]);
  const Range seeing = visible_range.seeing(block.first, min(block.first + kRows, head.keys) - 1);
  T grad_k[kOwn][kColumns] = {};
  for (int first = seeing.first / kPlainTile * kPlainTile; first < seeing.end;
       first += kPlainTile) {
    load_tile(head.q<const S>(args.q, first), args.q.row_stride, head.queries - first,
              shape.head_dim, shared.tile);
    const int query = first + int(threadIdx.x) % kWarp;
    T slopes[kOwn];
    bool visible[kOwn];
    multiply_rows(shared.own[0][warp], shared.tile, shape.head_dim, slopes);
#pragma unroll
    for (int r = 0; r < kOwn; r++) {
      const int key = own + r;
      const T x = score_of(shape.visibility, head, visible_range, score, query, key, slopes[r]);
      visible[r] = !Score<T>::is_hidden(x);
      slopes[r] = 0;
      if (!visible[r]) continue;
      const QueryStatistics<T> of = statistics[place.first + query];
      const S grad = static_cast<const S*>(args.grad_weights)[place.at(query, key)];
      const T keep = attention_multiplier<T>(shape, head, query, key);
      slopes[r] = of.weight(score, x) * (widened(grad) * keep - of.total);
    }
    add_rows(slopes, visible, shared.tile, shape.head_dim, shared.factors[warp], grad_k);
  }
#pragma unroll
  for (int r = 0; r < kOwn; r++) {
    if (own + r >= head.keys) continue;
    store_row(grad_k[r], T(shape.scale), shape.head_dim, head.k<S>(args.grad_k, own + r));
  }
}

// body(S{}, Number<kColumns>{}).
template <class Body>
Status with_rows(const AttentionShape& shape, const Body& body) {
  return with_storage(shape.type, [&](auto stored) {
    return with_columns(shape.head_dim, [&](auto columns) { return body(stored, columns); });
  });
}

}  // namespace

Status attention_weights_forward(const AttentionWeightsForwardArgs& args, Queue& queue) {
  if (args.shape.batch * args.shape.heads * args.max_q * args.max_k == 0) return {};
  return with_rows(args.shape, [&](auto stored, auto columns) {
    using S = decltype(stored);
    constexpr int kColumns = decltype(columns)::value;
    return launch("attention_weights_forward", write_weights<S, kColumns>,
                  blocks_of_heads(args.shape, args.max_q, kRows), kPlainThreads,
                  sizeof(typename QueryRows<S, kColumns>::Shared), queue, args);
  });
}

Status attention_weights_backward(const AttentionWeightsBackwardArgs& args, Queue& queue) {
  const AttentionShape& shape = args.shape;
  if (shape.batch * shape.heads == 0) return {};
  return with_rows(shape, [&](auto stored, auto columns) {
    using S = decltype(stored);
    using T = Compute<S>;
    constexpr int kColumns = decltype(columns)::value;
    const int64_t rows = shape.batch * shape.heads * args.max_q;
    auto* statistics =
        static_cast<QueryStatistics<T>*>(queue.take(size_t(rows) * sizeof(QueryStatistics<T>)));
    const auto start = [&](auto* kernel, int64_t length) {
      if (length == 0) return Status{};
      return launch("attention_weights_backward", kernel, blocks_of_heads(shape, length, kRows),
                    kPlainThreads, sizeof(typename QueryRows<S, kColumns>::Shared), queue, args,
                    statistics);
    };
    const Status status = start(weights_query_gradients<S, kColumns>, shape.length_q);
    if (status.failed()) return status;
    return start(weights_key_gradients<S, kColumns>, shape.length_k);
  });
}

}  // namespace pt::cuda
