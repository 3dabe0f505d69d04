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
#include "attention_plain.h"
#include "attention_tiles.h"

namespace pt::cuda {
namespace {

// kPlain: aligned rows, no mask and no dropout.
template <class S_, int kHeadDim_, int kRowTiles_, bool kPlain_>
struct ForwardConfig {
  using S = S_;
  static constexpr int kHeadDim = kHeadDim_, kRowTiles = kRowTiles_;
  static constexpr bool kPlain = kPlain_;
  static constexpr int kWarps = 4, kThreads = kWarps * kWarp;
  static constexpr int kRows = 16 * kRowTiles * kWarps;
  static constexpr int kKeys = kHeadDim > 128 ? 32 : 64;
  static constexpr int kScores = kKeys / 8, kOut = kHeadDim / 8;  // accumulators across

  struct Shared {
    Tile<S, kRows, kHeadDim> q;  // in the end, out
    Tile<S, kKeys, kHeadDim> k[2], v[2];
  };
};

// Where kCareful, values that are not finite are kept out of products.
template <class Config, bool kCareful>
class ForwardBlock {
 public:
  using S = typename Config::S;
  using Shared = typename Config::Shared;
  static constexpr int kKeys = Config::kKeys, kRowTiles = Config::kRowTiles;
  static constexpr int kThreads = Config::kThreads;

  __device__ __forceinline__ ForwardBlock(const AttentionForwardArgs& args, bool aligned,
                                          Shared& shared, const Head& head, int first)
      : args_(args), shape_(args.shape), shared_(shared), head_(head),
        visible_range_(args.shape.visibility, head), score_(args.shape.scale), first_(first),
        own_first_(first + int(threadIdx.x) / kWarp * 16 * kRowTiles),
        aligned_(Config::kPlain || aligned) {}

  // False, with nothing written, where this has to be done with care.
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

 private:
  __device__ __forceinline__ void begin_keys(int key, int stage) {
    const int rows = head_.keys - key;
    const int columns = int(shape_.head_dim);
    begin_load<kThreads>(shared_.k[stage], head_.k<const S>(args_.k, key), args_.k.row_stride, rows,
                         columns, aligned_);
    begin_load<kThreads>(shared_.v[stage], head_.k<const S>(args_.v, key), args_.v.row_stride, rows,
                         columns, aligned_);
  }

  __device__ __forceinline__ void walk() {
    const int last = min(first_ + Config::kRows, head_.queries) - 1;
    const Range seen = visible_range_.of(first_, last);
    const int64_t begin = seen.first / kKeys * kKeys;
    begin_load<kThreads>(shared_.q, head_.q<const S>(args_.q, first_), args_.q.row_stride,
                         head_.queries - first_, int(shape_.head_dim), aligned_);
    if (begin < seen.end) begin_keys(begin, 0);
    copy_async_commit();
    reset();
    int stage = 0;
    for (int key = begin; key < seen.end; key += kKeys, stage ^= 1) {
      // This tile has arrived, and every warp is done with the stage that the next one overwrites.
      copy_async_wait<0>();
      __syncthreads();
      if (key + kKeys < seen.end) begin_keys(key + kKeys, stage ^ 1);
      copy_async_commit();
      if (kCareful || sees(key)) tile(key, stage);
    }
    copy_async_wait<0>();
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
    multiply_keys(shared_.k[stage], scores);
    uint32_t visible[kRowTiles];
#pragma unroll
    for (int r = 0; r < kRowTiles; r++) {
      hide_row_tile(r, key, scores[r]);
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
    multiply_values(scores, shared_.v[stage]);
  }

  template <class KeyTile>
  __device__ __forceinline__ void multiply_keys(
      KeyTile& keys, float (&scores)[kRowTiles][Config::kScores][4]) const {
    const int row = own_first_ - first_;
#pragma unroll
    for (int d = 0; d < Config::kHeadDim; d += 16) {
      uint32_t q[kRowTiles][4];
#pragma unroll
      for (int r = 0; r < kRowTiles; r++) load_a(q[r], shared_.q, row + 16 * r, d);
#pragma unroll
      for (int n = 0; n < Config::kScores; n += 2) {
        uint32_t k[4];
        load_b(k, keys, 8 * n, d);
#pragma unroll
        for (int r = 0; r < kRowTiles; r++) {
          mma_m16n8k16<S>(scores[r][n], q[r], k[0], k[1]);
          mma_m16n8k16<S>(scores[r][n + 1], q[r], k[2], k[3]);
        }
      }
    }
  }

  __device__ __forceinline__ void hide_row_tile(int r, int key,
                                                float (&scores)[Config::kScores][4]) const {
    const int query = own_first_ + 16 * r;
    if (!Config::kPlain && score_.factor != 1.0f) {
#pragma unroll
      for (int n = 0; n < Config::kScores; n++) {
#pragma unroll
        for (int i = 0; i < 4; i++) scores[n][i] *= score_.factor;
      }
    }
    const bool has_mask = !Config::kPlain && shape_.visibility.kind != MaskKind::none;
    if (!has_mask && visible_range_.all_seen(query, query + 15, key, key + kKeys - 1)) return;
    hide<!Config::kPlain, false>(shape_.visibility, head_, visible_range_, score_, query, key,
                                 scores);
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
    if constexpr (!Config::kPlain) drop(r, key, scores);
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

  template <class ValueTile>
  __device__ __forceinline__ void multiply_values(
      const float (&weights)[kRowTiles][Config::kScores][4], ValueTile& values) {
#pragma unroll
    for (int n = 0; n < Config::kScores; n += 2) {
      uint32_t p[kRowTiles][4];
#pragma unroll
      for (int r = 0; r < kRowTiles; r++) pack_a<S>(p[r], weights[r][n], weights[r][n + 1]);
#pragma unroll
      for (int d = 0; d < Config::kOut; d += 2) {
        uint32_t v[4];
        load_b_transposed(v, values, 8 * n, 8 * d);
#pragma unroll
        for (int r = 0; r < kRowTiles; r++) {
          mma_m16n8k16<S>(out_[r][d], p[r], v[0], v[1]);
          mma_m16n8k16<S>(out_[r][d + 1], p[r], v[2], v[3]);
        }
      }
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

// again[block]: whether it has to be done with care.
template <class Config>
__global__ void __launch_bounds__(Config::kThreads)
    attend(const __grid_constant__ AttentionForwardArgs args, const bool aligned, uint8_t* again) {
  const BlockOfHead block(args.shape, args.shape.length_q, Config::kRows);
  bool done = true;
  if (block.first < block.head.queries) {
    auto& shared = shared_layout<typename Config::Shared>();
    ForwardBlock<Config, false> usual(args, aligned, shared, block.head, block.first);
    done = usual.run();
  }
  if (again != nullptr && threadIdx.x == 0) again[blockIdx.x] = done ? 0 : 1;
}

// A kernel of its own, so that the other one has its registers for the usual case.
template <class Config>
__global__ void __launch_bounds__(Config::kThreads)
    attend_carefully(const __grid_constant__ AttentionForwardArgs args, const bool aligned,
                     const uint8_t* again) {
  if (again[blockIdx.x] == 0) return;
  const BlockOfHead block(args.shape, args.shape.length_q, Config::kRows);
  auto& shared = shared_layout<typename Config::Shared>();
  ForwardBlock<Config, true>(args, aligned, shared, block.head, block.first).run();
}

template <class S, int kHeadDim, int kRowTiles>
Status run(const AttentionForwardArgs& args, Queue& queue) {
  using General = ForwardConfig<S, kHeadDim, kRowTiles, false>;
  using Plain = ForwardConfig<S, kHeadDim, kRowTiles, true>;
  const AttentionShape& shape = args.shape;
  bool aligned = true;
  for (const HeadRows& rows : {args.q, args.k, args.v, args.out}) {
    aligned = aligned && heads_are_aligned<S>(rows, shape.head_dim);
  }
  const unsigned blocks = blocks_of_heads(shape, shape.length_q, General::kRows);
  uint8_t* again = may_hide(shape.visibility) ? static_cast<uint8_t*>(queue.take(blocks)) : nullptr;
  const auto start = [&](auto config, auto* kernel) {
    using Config = decltype(config);
    return launch("attention_forward", kernel, dim3(blocks), Config::kThreads,
                  sizeof(typename Config::Shared), queue, args, aligned, again);
  };
  const bool is_plain = aligned && shape.visibility.kind == MaskKind::none &&
                        shape.dropout.threshold == 0 && shape.scale > 1e-20;
  const auto choose = [&] {
    if constexpr (has_plain_kernel(kHeadDim)) {
      if (is_plain) return start(Plain{}, attend<Plain>);
    }
    return start(General{}, attend<General>);
  };
  const Status status = choose();
  if (status.failed() || again == nullptr) return status;
  return start(General{}, attend_carefully<General>);
}

// Long sequences take two rows of tiles to a warp, which halves what it reads of each key; wide
// heads have no registers for them.
template <class S>
Status forward(const AttentionForwardArgs& args, Queue& queue) {
  const bool is_long = args.shape.length_q > 64;
  if (args.shape.head_dim <= 32) return run<S, 32, 1>(args, queue);
  if (args.shape.head_dim <= 64) {
    return is_long ? run<S, 64, 2>(args, queue) : run<S, 64, 1>(args, queue);
  }
  if (args.shape.head_dim <= 128) return run<S, 128, 1>(args, queue);
  return run<S, 256, 1>(args, queue);
}

}  // namespace

Status attention_forward(const AttentionForwardArgs& args, Queue& queue) {
  if (args.shape.batch * args.shape.heads * args.shape.length_q == 0) return {};
  switch (args.shape.type) {
    case Type::bfloat16:
      return forward<bfloat16>(args, queue);
    case Type::float16:
      return forward<float16>(args, queue);
    default:
      return attention_forward_plain(args, queue);
  }
}

}  // namespace pt::cuda
