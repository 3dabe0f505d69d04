// grad_k and grad_v: a block owns a tile of keys of one head and walks over tiles of its queries.
//
// A warp owns 16 keys; where heads are wide, two warps share them and take half of the columns of
// both gradients each, since one has no registers for all. Where the tile holds every key of the
// sequence, what the walk finds for a tile of queries is all there is of their grad_q: slopes go
// through shared memory, which turns them, and each warp finishes 16 queries.
#include <type_traits>

#include "attention_backward.h"

namespace pt::cuda {
namespace {

template <class S_, int kHeadDim_, bool kWithQueries_, bool kPlain_, bool kCareful_>
struct KeyConfig {
  using S = S_;
  static constexpr int kHeadDim = kHeadDim_;
  static constexpr bool kWithQueries = kWithQueries_, kPlain = kPlain_, kCareful = kCareful_;
  static constexpr int kWarps = 4, kThreads = kWarps * kWarp;
  static constexpr int kParts = kHeadDim > 128 ? 2 : 1;  // of the columns, to a warp each
  static constexpr int kKeys = 16 * kWarps / kParts, kQueries = kKeys;
  static constexpr int kChunk = kHeadDim > 64 ? 16 : 32;  // queries at a time
  static constexpr int kScores = kChunk / 8;
  static constexpr int kColumns = kHeadDim / kParts, kOut = kColumns / 8;
  static constexpr int kStages = kWithQueries && kHeadDim > 64 ? 1 : 2;

  struct Slopes {
    Tile<S, kKeys, kQueries> at;  // dS, transposed
  };
  struct Nothing {};
  struct Shared {
    Tile<S, kKeys, kHeadDim> k, v;  // in the end, their gradients
    Tile<S, kQueries, kHeadDim> q[kStages], grad[kStages];
    std::conditional_t<kWithQueries, Slopes, Nothing> slopes;
    float shift[kStages][kQueries], inverse_sum[kStages][kQueries], delta[kStages][kQueries];
  };
};

template <class Config_>
class KeyBlock {
 public:
  using Config = Config_;
  using S = typename Config::S;
  using Args = AttentionBackwardArgs;
  using Extras = BackwardExtras;
  using Shared = typename Config::Shared;
  static constexpr int kThreads = Config::kThreads;
  static constexpr int kKeys = Config::kKeys, kQueries = Config::kQueries;

  // False where the gradients have to be computed with care; they are written all the same.
  static __device__ __forceinline__ bool compute(const Args& args, const Extras& extras) {
    const BlockOfHead block(args.shape, args.shape.length_k, kKeys);
    const bool has_queries = Config::kWithQueries && block.head.queries > 0;
    if (block.first >= block.head.keys && !has_queries) return true;
    auto& shared = shared_layout<Shared>();
    return KeyBlock(args, extras, shared, block.head, block.first).run();
  }

 private:
  __device__ __forceinline__ KeyBlock(const AttentionBackwardArgs& args,
                                      const BackwardExtras& extras, Shared& shared,
                                      const Head& head, int first)
      : args_(args), shape_(args.shape), extras_(extras), shared_(shared), head_(head),
        visible_range_(args.shape.visibility, head), score_(args.shape.scale),
        // Known where one tile holds all keys: a register less, which wide heads do not have.
        first_(Config::kWithQueries ? 0 : first),
        own_(int(threadIdx.x) / kWarp / Config::kParts * 16),
        column_(int(threadIdx.x) / kWarp % Config::kParts * Config::kColumns),
        aligned_(Config::kPlain || extras.aligned) {}

  __device__ __forceinline__ bool run() {
    begin_keys<kThreads>(shared_.k, shared_.v, args_, head_, first_, aligned_);
    const Range seeing = range();
    walk_tiles<Config::kStages>(
        seeing.first / kQueries * kQueries, seeing.end, kQueries,
        [&](int query, int stage) { begin_queries(query, stage); },
        [&](int query, int stage) { tile(query, stage); });
    const bool all = finite_ && all_finite(grad_k_[0]) && all_finite(grad_v_[0]);
    const bool done = __syncthreads_or(!all) == 0;
    finish();
    return done;
  }

  // The queries that matter: those that see a key of the tile; for grad_q, all.
  __device__ __forceinline__ Range range() const {
    if (Config::kWithQueries) return {0, head_.queries};
    return visible_range_.seeing(first_, min(first_ + kKeys, head_.keys) - 1);
  }

  __device__ __forceinline__ void begin_queries(int query, int stage) {
    const int rows = head_.queries - query, columns = int(shape_.head_dim);
    begin_load<kThreads>(shared_.q[stage], head_.q<const S>(args_.q, query), args_.q.row_stride,
                         rows, columns, aligned_);
    begin_load<kThreads>(shared_.grad[stage], head_.q<const S>(args_.grad_out, query),
                         args_.grad_out.row_stride, rows, columns, aligned_);
    for (int i = threadIdx.x; i < kQueries; i += kThreads) {
      const QueryStatistics of(args_, head_, extras_.delta, query + i);
      shared_.shift[stage][i] = of.shift;
      shared_.inverse_sum[stage][i] = of.inverse_sum;
      shared_.delta[stage][i] = of.delta;
    }
  }

  __device__ __forceinline__ void tile(int query, int stage) {
#pragma unroll 1
    for (int at = 0; at < kQueries; at += Config::kChunk) chunk(query, at, stage);
    if constexpr (Config::kWithQueries) {
      __syncthreads();
      query_gradients(query);
    }
  }

  // Queries query + at .. + kChunk, which lie at `at` in the tile.
  __device__ __forceinline__ void chunk(int query, int at, int stage) {
    auto &q = shared_.q[stage], &grad = shared_.grad[stage];
    float weights[1][Config::kScores][4] = {}, slopes[1][Config::kScores][4] = {};
    multiply_tiles(shared_.k, own_, q, at, weights);
    multiply_tiles(shared_.v, own_, grad, at, slopes);
    const auto statistics = [&](int, int column) {
      return QueryStatistics(shared_.shift[stage][at + column],
                             shared_.inverse_sum[stage][at + column],
                             shared_.delta[stage][at + column]);
    };
    const uint32_t visible =
        weigh<Config::kPlain, true>(shape_, head_, visible_range_, score_, query + at,
                                    first_ + own_, statistics, weights[0], slopes[0]);
    if constexpr (Config::kCareful) {
      add_not_finite(weights[0], visible, grad, at, column_, grad_v_[0]);
      add_not_finite(slopes[0], visible, q, at, column_, grad_k_[0]);
      __syncthreads();
      clear_not_finite<kThreads>(grad, at, Config::kChunk);
      clear_not_finite<kThreads>(q, at, Config::kChunk);
      __syncthreads();
    }
    multiply_rows(weights, grad, at, column_, grad_v_);
    multiply_rows(slopes, q, at, column_, grad_k_);
    if constexpr (Config::kWithQueries) {
      if (column_ == 0) keep_slopes(slopes[0], at);
    }
  }

  __device__ __forceinline__ void keep_slopes(const float (&slopes)[Config::kScores][4], int at) {
#pragma unroll
    for (int n = 0; n < Config::kScores; n++) {
#pragma unroll
      for (int half = 0; half < 2; half++) {
        S* pair = &shared_.slopes.at.element(own_ + accumulator_row(2 * half),
                                             at + 8 * n + accumulator_column(0));
        *reinterpret_cast<uint32_t*>(pair) =
            pair_of<S>(slopes[n][2 * half], slopes[n][2 * half + 1]);
      }
    }
  }

  // grad_q of the 16 queries at own_ in the tile, 16 columns at a time.
  __device__ __forceinline__ void query_gradients(int query) {
    const int first = query + own_;
    if (first >= head_.queries) return;
    const float scale = float(shape_.scale);
    S* to = head_.q<S>(args_.grad_q, first);
#pragma unroll 1
    for (int d = column_; d < column_ + Config::kColumns; d += 16) {
      float sums[2][4] = {};
#pragma unroll
      for (int key = 0; key < kKeys; key += 16) {
        uint32_t a[4], b[4];
        load_a_transposed(a, shared_.slopes.at, key, own_);
        load_b_transposed(b, shared_.k, key, d);
        mma_m16n8k16<S>(sums[0], a, b[0], b[1]);
        mma_m16n8k16<S>(sums[1], a, b[2], b[3]);
      }
      finite_ = finite_ && all_finite(sums);
      scale_all(scale, sums);
#pragma unroll
      for (int n = 0; n < 2; n++) {
#pragma unroll
        for (int half = 0; half < 2; half++) {
          const int row = accumulator_row(2 * half), column = d + 8 * n + accumulator_column(0);
          if (first + row >= head_.queries) continue;
          store_pair(sums[n][2 * half], sums[n][2 * half + 1], to + row * args_.grad_q.row_stride,
                     column);
        }
      }
    }
  }

  __device__ __forceinline__ void store_pair(float low, float high, S* row, int column) const {
    if (aligned_) {
      if (column < shape_.head_dim) {
        *reinterpret_cast<uint32_t*>(row + column) = pair_of<S>(low, high);
      }
      return;
    }
    if (column < shape_.head_dim) row[column] = narrowed<S>(low);
    if (column + 1 < shape_.head_dim) row[column + 1] = narrowed<S>(high);
  }

  __device__ __forceinline__ void finish() {
    const int key = first_ + own_;
    const int rows = head_.keys - key, columns = int(shape_.head_dim);
    scale_all(float(shape_.scale), grad_k_[0]);
    store_rows(grad_k_[0], shared_.k, own_, column_, head_.k<S>(args_.grad_k, key),
               args_.grad_k.row_stride, rows, columns, aligned_);
    store_rows(grad_v_[0], shared_.v, own_, column_, head_.k<S>(args_.grad_v, key),
               args_.grad_v.row_stride, rows, columns, aligned_);
  }

  const AttentionBackwardArgs& args_;
  const AttentionShape& shape_;
  const BackwardExtras& extras_;
  Shared& shared_;
  const Head& head_;
  const VisibleRange visible_range_;
  const Score<float> score_;
  const int first_, own_, column_;  // the block's first key; the warp's in the tile; its columns
  const bool aligned_;
  bool finite_ = true;  // grad_q so far
  float grad_k_[1][Config::kOut][4] = {}, grad_v_[1][Config::kOut][4] = {};
};

}  // namespace

Status attention_key_gradients(const AttentionBackwardArgs& args, const BackwardExtras& extras,
                               bool with_queries, Queue& queue) {
  return with_head(args.shape, [&](auto stored, auto width) {
    using S = decltype(stored);
    constexpr int kHeadDim = decltype(width)::value;
    const unsigned blocks =
        blocks_of_heads(args.shape, args.shape.length_k, keys_of_tile(kHeadDim));
    uint8_t* again = flags_of(args.shape, blocks, queue);
    const auto usual = [&](auto both) {
      constexpr bool kBoth = decltype(both)::value != 0;
      using General = KeyBlock<KeyConfig<S, kHeadDim, kBoth, false, false>>;
      using Plain = KeyBlock<KeyConfig<S, kHeadDim, kBoth, true, false>>;
      static_assert(General::kKeys == keys_of_tile(kHeadDim));
      return launch_usual<Plain, General>("attention_backward", extras.plain, blocks, queue, args,
                                          extras, again);
    };
    Status status = with_queries ? usual(Number<1>{}) : usual(Number<0>{});
    if (status.failed() || again == nullptr) return status;
    using Careful = KeyBlock<KeyConfig<S, kHeadDim, false, false, true>>;
    status = launch_careful<Careful>("attention_backward", blocks, queue, args, extras, again);
    if (status.failed() || !with_queries) return status;
    return attention_query_gradients_again(args, extras, again, queue);
  });
}

}  // namespace pt::cuda
