// grad_q, where more than one tile of keys adds to it: a block owns queries of one head, 16 for
// each warp, and walks over tiles of the keys that any of them sees.
#include "attention_backward.h"

namespace pt::cuda {
namespace {

template <class S_, int kHeadDim_, bool kPlain_, bool kCareful_>
struct QueryConfig {
  using S = S_;
  static constexpr int kHeadDim = kHeadDim_;
  static constexpr bool kPlain = kPlain_, kCareful = kCareful_;
  static constexpr int kWarps = 4, kThreads = kWarps * kWarp;
  static constexpr int kQueries = 16 * kWarps, kKeys = kHeadDim > 128 ? 32 : 64;
  static constexpr int kChunk = kHeadDim > 128 ? 16 : 32;  // keys at a time
  static constexpr int kScores = kChunk / 8;
  static constexpr int kOut = kHeadDim / 8;
  static constexpr int kStages = kHeadDim > 128 ? 1 : 2;

  struct Shared {
    Tile<S, kQueries, kHeadDim> q, grad;  // in the end, grad_q
    Tile<S, kKeys, kHeadDim> k[kStages], v[kStages];
  };
};

template <class Config>
class QueryBlock {
 public:
  using S = typename Config::S;
  using Shared = typename Config::Shared;
  static constexpr int kThreads = Config::kThreads, kKeys = Config::kKeys;

  __device__ __forceinline__ QueryBlock(const AttentionBackwardArgs& args,
                                        const BackwardExtras& extras, Shared& shared,
                                        const Head& head, int first)
      : args_(args), shape_(args.shape), shared_(shared), head_(head),
        visible_range_(args.shape.visibility, head), score_(args.shape.scale), first_(first),
        own_(int(threadIdx.x) / kWarp * 16), aligned_(Config::kPlain || extras.aligned),
        statistics_{{args, head, extras.delta, first + own_ + accumulator_row(0)},
                    {args, head, extras.delta, first + own_ + accumulator_row(2)}} {}

  // False where grad_q has to be computed with care; it is written all the same.
  __device__ __forceinline__ bool run() {
    const int last = min(first_ + Config::kQueries, head_.queries) - 1;
    const Range seen = visible_range_.of(first_, last);
    const int begin = seen.first / kKeys * kKeys, columns = int(shape_.head_dim);
    begin_load<kThreads>(shared_.q, head_.q<const S>(args_.q, first_), args_.q.row_stride,
                         head_.queries - first_, columns, aligned_);
    begin_load<kThreads>(shared_.grad, head_.q<const S>(args_.grad_out, first_),
                         args_.grad_out.row_stride, head_.queries - first_, columns, aligned_);
    if (begin < seen.end) begin_keys(begin, 0);
    copy_async_commit();
    int stage = 0;
    for (int key = begin; key < seen.end; key += kKeys) {
      copy_async_wait<0>();
      __syncthreads();
      const int next = key + kKeys;
      if (Config::kStages > 1 && next < seen.end) begin_keys(next, stage ^ 1);
      copy_async_commit();
#pragma unroll 1
      for (int at = 0; at < kKeys; at += Config::kChunk) chunk(key, at, stage);
      if constexpr (Config::kStages > 1) {
        stage ^= 1;
      } else {
        __syncthreads();
        if (next < seen.end) begin_keys(next, stage);
        copy_async_commit();
      }
    }
    copy_async_wait<0>();
    const bool done = __syncthreads_or(!all_finite(grad_q_)) == 0;
    scale_all(float(shape_.scale), grad_q_);
    store_rows(grad_q_, shared_.q, own_, 0, head_.q<S>(args_.grad_q, first_ + own_),
               args_.grad_q.row_stride, head_.queries - first_ - own_, columns, aligned_);
    return done;
  }

 private:
  __device__ __forceinline__ void begin_keys(int key, int stage) {
    const int rows = head_.keys - key, columns = int(shape_.head_dim);
    begin_load<kThreads>(shared_.k[stage], head_.k<const S>(args_.k, key), args_.k.row_stride, rows,
                         columns, aligned_);
    begin_load<kThreads>(shared_.v[stage], head_.k<const S>(args_.v, key), args_.v.row_stride, rows,
                         columns, aligned_);
  }

  // Keys key + at .. + kChunk, which lie at `at` in the tile.
  __device__ __forceinline__ void chunk(int key, int at, int stage) {
    auto& k = shared_.k[stage];
    float weights[Config::kScores][4] = {}, slopes[Config::kScores][4] = {};
    multiply_tiles(shared_.q, own_, k, at, S{}, weights);
    multiply_tiles(shared_.grad, own_, shared_.v[stage], at, S{}, slopes);
    const auto statistics = [&](int half, int) -> const QueryStatistics& {
      return statistics_[half];
    };
    const uint32_t visible =
        weigh<Config::kPlain, false>(shape_, head_, visible_range_, score_, first_ + own_, key + at,
                                     statistics, weights, slopes);
    if constexpr (Config::kCareful) {
      add_not_finite(slopes, visible, k, at, 0, grad_q_);
      __syncthreads();
      clear_not_finite<kThreads>(k, at, Config::kChunk);
      __syncthreads();
    }
    multiply_rows(slopes, k, at, 0, S{}, grad_q_);
  }

  const AttentionBackwardArgs& args_;
  const AttentionShape& shape_;
  Shared& shared_;
  const Head& head_;
  const VisibleRange visible_range_;
  const Score<float> score_;
  const int first_, own_;  // the block's first query; the warp's in the tile
  const bool aligned_;
  const QueryStatistics statistics_[2];  // of this lane's rows
  float grad_q_[Config::kOut][4] = {};
};

template <class Config>
__device__ __forceinline__ bool gradients_of_block(const AttentionBackwardArgs& args,
                                                   const BackwardExtras& extras) {
  const BlockOfHead block(args.shape, args.shape.length_q, Config::kQueries);
  if (block.first >= block.head.queries) return true;
  auto& shared = shared_layout<typename Config::Shared>();
  return QueryBlock<Config>(args, extras, shared, block.head, block.first).run();
}

// again[block]: whether it has to be done with care.
template <class Config>
__global__ void __launch_bounds__(Config::kThreads)
    query_gradients(const __grid_constant__ AttentionBackwardArgs args,
                    const __grid_constant__ BackwardExtras extras, uint8_t* again) {
  const bool done = gradients_of_block<Config>(args, extras);
  if (again != nullptr && threadIdx.x == 0) again[blockIdx.x] = done ? 0 : 1;
}

// A flag speaks for so many blocks.
template <class Config>
__global__ void __launch_bounds__(Config::kThreads)
    query_gradients_carefully(const __grid_constant__ AttentionBackwardArgs args,
                              const __grid_constant__ BackwardExtras extras, const uint8_t* again,
                              const unsigned blocks) {
  if (again[blockIdx.x / blocks] != 0) gradients_of_block<Config>(args, extras);
}

template <class S, int kHeadDim>
Status start_carefully(const AttentionBackwardArgs& args, const BackwardExtras& extras,
                       Queue& queue, const uint8_t* again, unsigned blocks) {
  using Config = QueryConfig<S, kHeadDim, false, true>;
  return launch("attention_backward", query_gradients_carefully<Config>,
                blocks_of_heads(args.shape, args.shape.length_q, Config::kQueries),
                Config::kThreads, sizeof(typename Config::Shared), queue, args, extras, again,
                blocks);
}

}  // namespace

Status attention_query_gradients(const AttentionBackwardArgs& args, const BackwardExtras& extras,
                                 Queue& queue) {
  return with_head(args.shape, [&](auto stored, auto width) {
    using S = decltype(stored);
    constexpr int kHeadDim = decltype(width)::value;
    using General = QueryConfig<S, kHeadDim, false, false>;
    const unsigned blocks = blocks_of_heads(args.shape, args.shape.length_q, General::kQueries);
    uint8_t* again = flags_of(args.shape, blocks, queue);
    const auto start = [&](auto config) {
      using Config = decltype(config);
      return launch("attention_backward", query_gradients<Config>, blocks, Config::kThreads,
                    sizeof(typename Config::Shared), queue, args, extras, again);
    };
    const auto choose = [&] {
      if constexpr (has_plain_kernel(kHeadDim)) {
        if (extras.plain) return start(QueryConfig<S, kHeadDim, true, false>{});
      }
      return start(General{});
    };
    const Status status = choose();
    if (status.failed() || again == nullptr) return status;
    return start_carefully<S, kHeadDim>(args, extras, queue, again, 1);
  });
}

Status attention_query_gradients_again(const AttentionBackwardArgs& args,
                                       const BackwardExtras& extras, const uint8_t* again,
                                       Queue& queue) {
  return with_head(args.shape, [&](auto stored, auto width) {
    constexpr int kHeadDim = decltype(width)::value;
    using Config = QueryConfig<decltype(stored), kHeadDim, false, true>;
    const int64_t blocks_of_head = (args.shape.length_q + Config::kQueries - 1) / Config::kQueries;
    return start_carefully<decltype(stored), kHeadDim>(args, extras, queue, again,
                                                       unsigned(blocks_of_head));
  });
}

}  // namespace pt::cuda
