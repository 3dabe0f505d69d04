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

template <class Config_>
class QueryBlock {
 public:
  using Config = Config_;
  using S = typename Config::S;
  using Args = AttentionBackwardArgs;
  using Extras = BackwardExtras;
  using Shared = typename Config::Shared;
  static constexpr int kThreads = Config::kThreads;
  static constexpr int kQueries = Config::kQueries, kKeys = Config::kKeys;

  // False where grad_q has to be computed with care; it is written all the same.
  static __device__ __forceinline__ bool compute(const Args& args, const Extras& extras) {
    const BlockOfHead block(args.shape, args.shape.length_q, kQueries);
    if (block.first >= block.head.queries) return true;
    auto& shared = shared_layout<Shared>();
    return QueryBlock(args, extras, shared, block.head, block.first).run();
  }

 private:
  __device__ __forceinline__ QueryBlock(const Args& args, const Extras& extras, Shared& shared,
                                        const Head& head, int first)
      : args_(args), shape_(args.shape), shared_(shared), head_(head),
        visible_range_(args.shape.visibility, head), score_(args.shape.scale), first_(first),
        own_(int(threadIdx.x) / kWarp * 16), aligned_(Config::kPlain || extras.aligned),
        statistics_{{args, head, extras.delta, first + own_ + accumulator_row(0)},
                    {args, head, extras.delta, first + own_ + accumulator_row(2)}} {}

  __device__ __forceinline__ bool run() {
    const int rows = head_.queries - first_, columns = int(shape_.head_dim);
    begin_load<kThreads>(shared_.q, head_.q<const S>(args_.q, first_), args_.q.row_stride, rows,
                         columns, aligned_);
    begin_load<kThreads>(shared_.grad, head_.q<const S>(args_.grad_out, first_),
                         args_.grad_out.row_stride, rows, columns, aligned_);
    const Range seen = visible_range_.of(first_, min(first_ + kQueries, head_.queries) - 1);
    walk_tiles<Config::kStages>(
        seen.first / kKeys * kKeys, seen.end, kKeys,
        [&](int key, int stage) {
          begin_keys<kThreads>(shared_.k[stage], shared_.v[stage], args_, head_, key, aligned_);
        },
        [&](int key, int stage) {
#pragma unroll 1
          for (int at = 0; at < kKeys; at += Config::kChunk) chunk(key, at, stage);
        });
    const bool done = __syncthreads_or(!all_finite(grad_q_[0])) == 0;
    scale_all(float(shape_.scale), grad_q_[0]);
    store_rows(grad_q_[0], shared_.q, own_, 0, head_.q<S>(args_.grad_q, first_ + own_),
               args_.grad_q.row_stride, rows - own_, columns, aligned_);
    return done;
  }

  // Keys key + at .. + kChunk, which lie at `at` in the tile.
  __device__ __forceinline__ void chunk(int key, int at, int stage) {
    auto& k = shared_.k[stage];
    float weights[1][Config::kScores][4] = {}, slopes[1][Config::kScores][4] = {};
    multiply_tiles(shared_.q, own_, k, at, weights);
    multiply_tiles(shared_.grad, own_, shared_.v[stage], at, slopes);
    const auto statistics = [&](int half, int) -> const QueryStatistics& {
      return statistics_[half];
    };
    const uint32_t visible =
        weigh<Config::kPlain, false>(shape_, head_, visible_range_, score_, first_ + own_, key + at,
                                     statistics, weights[0], slopes[0]);
    if constexpr (Config::kCareful) {
      add_not_finite(slopes[0], visible, k, at, 0, grad_q_[0]);
      __syncthreads();
      clear_not_finite<kThreads>(k, at, Config::kChunk);
      __syncthreads();
    }
    multiply_rows(slopes, k, at, 0, grad_q_);
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
  float grad_q_[1][Config::kOut][4] = {};
};

}  // namespace

Status attention_query_gradients(const AttentionBackwardArgs& args, const BackwardExtras& extras,
                                 Queue& queue) {
  return with_head(args.shape, [&](auto stored, auto width) {
    using S = decltype(stored);
    constexpr int kHeadDim = decltype(width)::value;
    using General = QueryBlock<QueryConfig<S, kHeadDim, false, false>>;
    using Plain = QueryBlock<QueryConfig<S, kHeadDim, true, false>>;
    using Careful = QueryBlock<QueryConfig<S, kHeadDim, false, true>>;
    const unsigned blocks = blocks_of_heads(args.shape, args.shape.length_q, General::kQueries);
    uint8_t* again = flags_of(args.shape, blocks, queue);
    const Status status = launch_usual<Plain, General>("attention_backward", extras.plain, blocks,
                                                       queue, args, extras, again);
    if (status.failed() || again == nullptr) return status;
    return launch_careful<Careful>("attention_backward", blocks, queue, args, extras, again);
  });
}

Status attention_query_gradients_again(const AttentionBackwardArgs& args,
                                       const BackwardExtras& extras, const uint8_t* again,
                                       Queue& queue) {
  return with_head(args.shape, [&](auto stored, auto width) {
    using Config = QueryConfig<decltype(stored), decltype(width)::value, false, true>;
    using Careful = QueryBlock<Config>;
    const int64_t length = args.shape.length_q;
    const unsigned blocks = blocks_of_heads(args.shape, length, Careful::kQueries);
    const int64_t of_head = pieces_of(length, Careful::kQueries);
    return launch_careful<Careful>("attention_backward", blocks, queue, args, extras, again,
                                   unsigned(of_head));
  });
}

}  // namespace pt::cuda
