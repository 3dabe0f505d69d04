// Attention forward on tensor cores, for rows of 16 bits: online softmax over tiles of keys.
//
// A block takes kRows queries of one head of one sequence, 16 kRowTiles for each of its warps, and
// walks over the tiles of keys that any of them sees, from the sequence's start in steps of a
// constant: what else is in the batch changes nothing. While a tile is worked on, the next one is
// on its way (two stages of cp.async). A warp holds its queries' scores, running maximum and sum,
// and output in registers: scores come out of one product in the layout that the next one takes its
// left operand in. Tiles in which every pair is visible skip all masking.
//
// 0 x NaN is NaN, so a product with a value that is not finite reaches queries from which it is
// hidden. Rather than look at every value, the block looks at its results: only where one of them
// is not finite it starts again, with such values taken out of the product and added, pair by pair,
// to the queries that see them. The others then get the bits that they get beside finite values.
#include "attention_launch.h"
#include "attention_plain.h"
#include "attention_tiles.h"

namespace pt::cuda {
namespace {

// kPlain: aligned rows, no mask and no dropout. Where kCareful, values that are not finite are kept
// out of products.
template <class S_, int kHeadDim_, int kRowTiles_, bool kPlain_, bool kCareful_>
struct ForwardConfig {
  using S = S_;
  static constexpr int kHeadDim = kHeadDim_, kRowTiles = kRowTiles_;
  static constexpr bool kPlain = kPlain_, kCareful = kCareful_;
  static constexpr int kWarps = 4, kThreads = kWarps * kWarp;
  static constexpr int kRows = 16 * kRowTiles * kWarps;
  static constexpr int kKeys = keys_of_tile(kHeadDim);
  static constexpr int kScores = kKeys / 8, kOut = kHeadDim / 8;  // accumulators across

  struct Shared {
    Tile<S, kRows, kHeadDim> q;  // in the end, out
    Tile<S, kKeys, kHeadDim> k[2], v[2];
  };
};

struct ForwardExtras {
  bool aligned;  // every row begins at a multiple of 16 bytes
};

template <class Config_>
class ForwardBlock {
 public:
  using Config = Config_;
  using S = typename Config::S;
  using Args = AttentionForwardArgs;
  using Extras = ForwardExtras;
  using Shared = typename Config::Shared;
  static constexpr int kThreads = Config::kThreads, kRows = Config::kRows, kKeys = Config::kKeys;
  static constexpr int kRowTiles = Config::kRowTiles;
  static constexpr bool kPlain = Config::kPlain, kCareful = Config::kCareful;

  // False, with nothing written, where this has to be done with care.
  static __device__ __forceinline__ bool compute(const Args& args, const Extras& extras) {
    const BlockOfHead block(args.shape, args.shape.length_q, kRows);
    if (block.first >= block.head.queries) return true;
    auto& shared = shared_layout<Shared>();
    return ForwardBlock(args, extras, shared, block.head, block.first).run();
  }

 private:
  __device__ __forceinline__ ForwardBlock(const Args& args, const Extras& extras, Shared& shared,
                                          const Head& head, int first)
      : args_(args), shape_(args.shape), shared_(shared), head_(head),
        visible_range_(args.shape.visibility, head), score_(args.shape.scale), first_(first),
        own_first_(first + int(threadIdx.x) / kWarp * 16 * kRowTiles),
        aligned_(kPlain || extras.aligned) {}

  __device__ __forceinline__ bool run() {
    walk();
    if (!kCareful && may_hide(shape_.visibility)) {
      bool all = true;
#pragma unroll
      for (int r = 0; r < kRowTiles; r++) all = all && all_finite(out_[r]);
      if (__syncthreads_or(!all) != 0) return false;
    }
    finish();
    return true;
  }

  __device__ __forceinline__ void walk() {
    begin_load<kThreads>(shared_.q, head_.q<const S>(args_.q, first_), args_.q.row_stride,
                         head_.queries - first_, int(shape_.head_dim), aligned_);
    reset();
    const Range seen = visible_range_.of(first_, min(first_ + kRows, head_.queries) - 1);
    walk_tiles<2>(
        seen.first / kKeys * kKeys, seen.end, kKeys,
        [&](int key, int stage) {
          begin_keys<kThreads>(shared_.k[stage], shared_.v[stage], args_, head_, key, aligned_);
        },
        [&](int key, int stage) {
          if (kCareful || sees(key)) tile(key, stage);
        });
    __syncthreads();  // the queries' tile is free
  }

  __device__ __forceinline__ void reset() {
#pragma unroll
    for (int r = 0; r < kRowTiles; r++) {
#pragma unroll
      for (int n = 0; n < Config::kOut; n++) {
#pragma unroll
        for (int i = 0; i < 4; i++) out_[r][n][i] = 0;
      }
#pragma unroll
      for (int half = 0; half < 2; half++) {
        largest_[r][half] = Score<float>::hidden();
        sum_[r][half] = 0;
      }
    }
  }

  // Whether any of this warp's queries may see a key of the tile.
  __device__ __forceinline__ bool sees(int key) const {
    const int last = min(own_first_ + 16 * kRowTiles, head_.queries) - 1;
    if (last < own_first_) return false;
    const Range seen = visible_range_.of(own_first_, last);
    return seen.first < key + kKeys && key < seen.end;
  }

  __device__ __forceinline__ void tile(int key, int stage) {
    float scores[kRowTiles][Config::kScores][4] = {};
    multiply_tiles(shared_.q, own_first_ - first_, shared_.k[stage], 0, scores);
    uint32_t visible[kRowTiles];
#pragma unroll
    for (int r = 0; r < kRowTiles; r++) {
      become_scores<kPlain, false>(shape_.visibility, head_, visible_range_, score_,
                                   own_first_ + 16 * r, key, scores[r]);
      if constexpr (kCareful) visible[r] = visible_bits(scores[r]);
      soften(r, key, scores[r]);
    }
    if constexpr (kCareful) {
#pragma unroll
      for (int r = 0; r < kRowTiles; r++) {
        add_not_finite(scores[r], visible[r], shared_.v[stage], 0, 0, out_[r]);
      }
      __syncthreads();
      clear_not_finite<kThreads>(shared_.v[stage], 0, kKeys);
      __syncthreads();
    }
    multiply_rows(scores, shared_.v[stage], 0, 0, out_);
  }

  // Scores become weights, dropped where dropout says so; maxima, sums and outputs so far follow.
  __device__ __forceinline__ void soften(int r, int key, float (&scores)[Config::kScores][4]) {
    float top[2] = {largest_[r][0], largest_[r][1]};
#pragma unroll
    for (int n = 0; n < Config::kScores; n++) {
#pragma unroll
      for (int i = 0; i < 4; i++) top[i / 2] = fmaxf(top[i / 2], scores[n][i]);
    }
    float base[2], shrink[2], added[2] = {0, 0};
#pragma unroll
    for (int half = 0; half < 2; half++) {
      top[half] = lanes_max<4>(top[half]);
      // Nothing visible so far: any finite shift keeps the weights at 0.
      base[half] = Score<float>::is_hidden(top[half]) ? 0.0f : top[half];
      shrink[half] = fast_exp2((largest_[r][half] - base[half]) * score_.exponent);
      largest_[r][half] = top[half];
    }
#pragma unroll
    for (int n = 0; n < Config::kScores; n++) {
#pragma unroll
      for (int i = 0; i < 4; i++) {
        scores[n][i] = fast_exp2((scores[n][i] - base[i / 2]) * score_.exponent);
        added[i / 2] += scores[n][i];
      }
    }
#pragma unroll
    for (int half = 0; half < 2; half++) {
      sum_[r][half] = sum_[r][half] * shrink[half] + added[half];
    }
#pragma unroll
    for (int n = 0; n < Config::kOut; n++) {
#pragma unroll
      for (int i = 0; i < 4; i++) out_[r][n][i] *= shrink[i / 2];
    }
    if constexpr (!kPlain) drop(r, key, scores);
  }

  __device__ __forceinline__ void drop(int r, int key, float (&scores)[Config::kScores][4]) const {
    if (shape_.dropout.threshold == 0) return;
#pragma unroll
    for (int n = 0; n < Config::kScores; n++) {
      float keep[4];
      dropout_by_rows(shape_.dropout, dropout_stream(shape_, head_), own_first_ + 16 * r,
                      key + 8 * n, keep);
#pragma unroll
      for (int i = 0; i < 4; i++) scores[n][i] *= keep[i];
    }
  }

  __device__ __forceinline__ void finish() {
    auto* largest = static_cast<float*>(args_.statistics) + head_.first_statistic(shape_);
    auto* inverse_sum = largest + shape_.heads * shape_.rows_q;
    const int lane = threadIdx.x % kWarp;
#pragma unroll
    for (int r = 0; r < kRowTiles; r++) {
      const int first = own_first_ + 16 * r;
#pragma unroll
      for (int half = 0; half < 2; half++) {
        const int query = first + accumulator_row(2 * half);
        const float sum = lanes_sum<4>(sum_[r][half]);
        const bool fully_masked = Score<float>::is_hidden(largest_[r][half]) && sum == 0;
        const float inverse = fully_masked ? 0.0f : 1.0f / sum;
#pragma unroll
        for (int n = 0; n < Config::kOut; n++) {
#pragma unroll
          for (int i = 2 * half; i < 2 * half + 2; i++) {
            out_[r][n][i] = fully_masked ? 0.0f : out_[r][n][i] * inverse;
          }
        }
        if (lane % 4 == 0 && query < head_.queries) {
          largest[query] = largest_[r][half];
          inverse_sum[query] = inverse;
        }
      }
      store_rows(out_[r], shared_.q, first - first_, 0, head_.q<S>(args_.out, first),
                 args_.out.row_stride, head_.queries - first, int(shape_.head_dim), aligned_);
    }
  }

  const AttentionForwardArgs& args_;
  const AttentionShape& shape_;
  Shared& shared_;
  const Head& head_;
  const VisibleRange visible_range_;
  const Score<float> score_;
  const int first_, own_first_;  // query of the block, of this warp
  const bool aligned_;
  float out_[kRowTiles][Config::kOut][4];
  float largest_[kRowTiles][2], sum_[kRowTiles][2];  // of a row; this lane's part of its sum
};

template <class S, int kHeadDim, int kRowTiles>
Status run(const AttentionForwardArgs& args, Queue& queue) {
  using General = ForwardBlock<ForwardConfig<S, kHeadDim, kRowTiles, false, false>>;
  using Plain = ForwardBlock<ForwardConfig<S, kHeadDim, kRowTiles, true, false>>;
  using Careful = ForwardBlock<ForwardConfig<S, kHeadDim, kRowTiles, false, true>>;
  const AttentionShape& shape = args.shape;
  const ForwardExtras extras{
      heads_are_aligned<S>(shape.head_dim, args.q, args.k, args.v, args.out)};
  const unsigned blocks = blocks_of_heads(shape, shape.length_q, General::kRows);
  uint8_t* again = flags_of(shape, blocks, queue);
  const Status status = launch_usual<Plain, General>(
      "attention_forward", is_plain(shape, extras.aligned), blocks, queue, args, extras, again);
  if (status.failed() || again == nullptr) return status;
  return launch_careful<Careful>("attention_forward", blocks, queue, args, extras, again);
}

}  // namespace

Status attention_forward(const AttentionForwardArgs& args, Queue& queue) {
  const AttentionShape& shape = args.shape;
  if (shape.batch * shape.heads * shape.length_q == 0) return {};
  if (!is_half(shape.type)) return attention_forward_plain(args, queue);
  return with_head(shape, [&](auto stored, auto width) {
    using S = decltype(stored);
    constexpr int kHeadDim = decltype(width)::value;
    // Long sequences take two rows of tiles to a warp, which halves what it reads of each key; wide
    // heads have no registers for them.
    if constexpr (kHeadDim == 64) {
      if (shape.length_q > 64) return run<S, kHeadDim, 2>(args, queue);
    }
    return run<S, kHeadDim, 1>(args, queue);
  });
}

}  // namespace pt::cuda
