// Attention forward: online softmax over blocks of keys.
//
// Parallel over (sequence, head, block of queries). A task holds its queries, their running
// maximum, sum and output [queries, head_dim], and walks over the sequence's blocks of keys; per
// block it packs k transposed (scaled) and v once, and per tile of queries computes
//   scores [tile, keys] = q k^T -> weights = 2^(scores - maximum) -> output += weights v,
// scaling the output down whenever a maximum rises. Blocks of keys nobody in the tile sees are
// skipped; slots hidden inside a block have weight exactly 0, so what is skipped changes nothing.
#include "attention_scores.h"
#include "parallel.h"
#include "scratch.h"

PT_ISA_BEGIN

void attention_forward(const AttentionForwardArgs& args);

namespace {

template <class S>
class Forward {
 public:
  using T = Compute<S>;
  using V = Vector<T>;
  using K = Tile<Single<T>>;
  static constexpr int64_t kQueryBlock = 8 * K::kRows;

  explicit Forward(const AttentionForwardArgs& args)
      : args_(args), shape_(args.shape), depth_(args.shape.head_dim),
        width_(round_up(depth_, K::kWidth)), may_hide_(may_hide(args.shape.visibility)) {}

  void run() const {
    int64_t longest = shape_.length_q;
    if (shape_.cu_seqlens_q != nullptr) {
      longest = 0;
      for (int64_t b = 0; b < shape_.batch; b++) {
        longest = max(longest, shape_.cu_seqlens_q[b + 1] - shape_.cu_seqlens_q[b]);
      }
    }
    const int64_t blocks = pieces_of(longest, kQueryBlock);
    parallel_for(shape_.batch * shape_.heads * blocks, [&](int64_t task) {
      const int64_t block = task % blocks, h = task / blocks % shape_.heads;
      const Head head(shape_, task / blocks / shape_.heads, h);
      const int64_t first = block * kQueryBlock;
      if (first < head.queries) query_block(head, first, min(kQueryBlock, head.queries - first));
    });
  }

 private:
  static constexpr int64_t kScoreStride = kKeyBlock + 16;

  struct Block {
    T *q, *out, *maximum, *sum;      // [queries, width], [queries, width], [queries], [queries]
    T *keys, *values;                // panels [keys][depth] transposed, [keys, width]
    T *scores, *keep;                // [tile, kScoreStride], [kScoreStride]
    uint8_t* visible;                // [tile, kScoreStride]
    bool finite;                     // whether values of this block are
  };

  void query_block(const Head& head, int64_t first, int64_t count) const {
    Scratch scratch;
    Block block = allocate(scratch);
    copy_rows(head.q<S>(args_.q, first), args_.q.row_stride, count, depth_, block.q, width_,
              width_);
    for (int64_t i = 0; i < count * width_; i += V::size) V::zero().store(block.out + i);
    for (int64_t i = 0; i < count; i++) {
      block.maximum[i] = Score<T>::hidden();
      block.sum[i] = 0;
    }
    const VisibleRange visible_range(shape_.visibility, head);
    const Range seen = visible_range.of(first, first + count - 1);
    for (int64_t key = seen.first / kKeyBlock * kKeyBlock; key < seen.end; key += kKeyBlock) {
      const int64_t keys = min(kKeyBlock, head.keys - key);
      load_keys(head, key, keys, block);
      const int64_t step = even_tile<T>(count);
      for (int64_t i = 0; i < count; i += step) {
        tile(head, visible_range, first, i, min(step, count - i), key, keys, block);
      }
    }
    finish(head, first, count, block);
  }

  Block allocate(Scratch& scratch) const {
    Block block;
    block.q = scratch.take<T>(kQueryBlock * width_);
    block.out = scratch.take<T>(kQueryBlock * width_);
    block.maximum = scratch.take<T>(kQueryBlock);
    block.sum = scratch.take<T>(kQueryBlock);
    block.keys = scratch.take<T>(kKeyBlock * depth_);
    block.values = scratch.take<T>(kKeyBlock * width_);
    block.scores = scratch.take<T>(K::kRows * kScoreStride);
    block.keep = scratch.take<T>(kScoreStride + kWords);
    block.visible = scratch.take<uint8_t>(K::kRows * kScoreStride);
    return block;
  }

  void load_keys(const Head& head, int64_t key, int64_t keys, Block& block) const {
    pack_keys(head.k<S>(args_.k, key), args_.k.row_stride, keys, depth_, T(shape_.scale * kLog2e),
              block.keys);
    copy_rows(head.k<S>(args_.v, key), args_.v.row_stride, keys, depth_, block.values, width_,
              width_);
    block.finite = !may_hide_ || all_finite(block.values, keys * width_);
  }

  // Queries first + at .. against keys key .. key + keys.
  void tile(const Head& head, const VisibleRange& visible_range, int64_t first, int64_t at,
            int64_t rows, int64_t key, int64_t keys, const Block& block) const {
    const Range seen = visible_range.of(first + at, first + at + rows - 1);
    const int64_t from = max(0, seen.first - key) / K::kWidth * K::kWidth;
    const int64_t to = min(keys, seen.end - key);
    if (from >= to) return;
    const int64_t end = round_up(to, V::size);
    tile_scores(block.q + at * width_, width_, rows, block.keys + from * depth_, depth_, to - from,
                block.scores + from, kScoreStride);
    for (int64_t i = 0; i < rows; i++) {
      T* scores = block.scores + i * kScoreStride;
      for (int64_t j = to; j < end; j++) scores[j] = Score<T>::hidden();
      if (may_hide_) {
        hide(shape_.visibility, head, visible_range, first + at + i, key, from, to, scores);
        if (!block.finite) {
          note_visible(scores + from, to - from, block.visible + i * kScoreStride + from);
        }
      }
      softmax(head, first + at + i, key, from, end, at + i, scores, block);
    }
    T* out = block.out + at * width_;
    const T* values = block.values + from * width_;
    if (block.finite) {
      add_products<T, false>(block.scores + from, kScoreStride, rows, to - from, values, width_,
                             width_, out, width_);
    } else {
      add_visible_products(block.scores + from, block.visible + from, kScoreStride, 1, rows,
                           to - from, values, width_, width_, out, width_);
    }
  }

  // Scores become weights; the row's maximum, sum and output so far are brought up to date. Lanes
  // meet keys by their place in the block, whatever range is computed.
  PT_INLINE void softmax(const Head& head, int64_t query, int64_t key, int64_t from, int64_t end,
                         int64_t row, T* scores, const Block& block) const {
    V top = V::broadcast(block.maximum[row]);
    for (int64_t j = from; j < end; j += V::size) top = V::max(top, V::load(scores + j));
    const T maximum = top.maximum();
    // Nothing visible so far: any finite shift keeps the weights at 0.
    const T base = maximum < Score<T>::lowest() ? T(0) : maximum;
    const V shift = V::broadcast(base);
    const bool dropped = shape_.dropout.threshold > 0;
    if (dropped) {
      const uint32_t stream = uint32_t(head.sequence * shape_.heads + head.head);
      dropout_multipliers(shape_.dropout, key + from, end - from, uint32_t(query), stream, 1,
                          block.keep);
    }
    V sum = V::zero();
    for (int64_t j = from; j < end; j += V::size) {
      const V weight = V::exp2(V::load(scores + j) - shift);
      sum = sum + weight;
      (dropped ? weight * V::load(block.keep + j - from) : weight).store(scores + j);
    }
    if (maximum != block.maximum[row]) {
      const V factor = V::exp2(V::broadcast(block.maximum[row]) - shift);
      T* out = block.out + row * width_;
      for (int64_t j = 0; j < width_; j += V::size) (V::load(out + j) * factor).store(out + j);
      T lanes[V::size];
      factor.store(lanes);
      block.sum[row] *= lanes[0];
      block.maximum[row] = maximum;
    }
    block.sum[row] += sum.sum();
  }

  void finish(const Head& head, int64_t first, int64_t count, const Block& block) const {
    T* largest = static_cast<T*>(args_.statistics) + head.first_statistic + first;
    T* inverse_sum = largest + shape_.heads * shape_.rows_q;
    for (int64_t i = 0; i < count; i++) {
      const T sum = block.sum[i];
      const bool fully_masked = block.maximum[i] < Score<T>::lowest() && sum == T(0);
      largest[i] = block.maximum[i];
      inverse_sum[i] = fully_masked ? T(0) : T(1) / sum;
      const V factor = V::broadcast(inverse_sum[i]);
      S* out = head.q<S>(args_.out, first + i);
      for (int64_t j = 0; j < depth_; j += V::size) {
        const V value = fully_masked ? V::zero() : V::load(block.out + i * width_ + j) * factor;
        store_up_to(value, out + j, depth_ - j);
      }
    }
  }

  const AttentionForwardArgs& args_;
  const AttentionShape& shape_;
  const int64_t depth_, width_;
  const bool may_hide_;
};

}  // namespace

void attention_forward(const AttentionForwardArgs& args) {
  switch (args.shape.type) {
    case Type::float32:
      return Forward<float>(args).run();
    case Type::bfloat16:
      return Forward<bfloat16>(args).run();
    case Type::float64:
      return Forward<double>(args).run();
  }
}

PT_ISA_END
