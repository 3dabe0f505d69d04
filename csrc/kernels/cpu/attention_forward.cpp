// Attention forward: online softmax over blocks of keys.
//
// Parallel over (sequence, head, block of queries). A task holds its queries, their running
// maximum, sum and output [queries, head_dim], and walks over the sequence's blocks of keys; per
// block it packs k transposed and v once, and per tile of queries computes
//   scores [tile, keys] = q k^T -> weights = 2^((score - maximum) exponent) -> output += weights v,
// scaling the output down whenever a maximum rises. Blocks of keys nobody in the tile sees are
// skipped; slots hidden inside a block have weight exactly 0, so what is skipped changes nothing.
// bfloat16 rows are multiplied in pairs where that can be had, and weights are rounded for it.
#include "attention_products.h"
#include "scratch.h"

PT_ISA_BEGIN

void attention_forward(const AttentionForwardArgs& args);

namespace {

template <class S>
class Forward {
 public:
  using P = ProductOf<S>;
  using T = typename P::Word;
  using V = typename P::V;
  using K = Tile<P>;
  static constexpr int64_t kQueryBlock = 16 * K::kRows;

  explicit Forward(const AttentionForwardArgs& args)
      : args_(args), shape_(args.shape), score_(args.shape.scale), depth_(args.shape.head_dim),
        words_(words_of<P>(depth_)), q_stride_(round_up(words_, V::size)),
        width_(round_up(depth_, K::kWidth)), may_hide_(may_hide(args.shape.visibility)) {}

  void run() const {
    const int64_t queries = longest(shape_, shape_.cu_seqlens_q, shape_.length_q);
    const int64_t keys = longest(shape_, shape_.cu_seqlens_k, shape_.length_k);
    const int64_t blocks = pieces_of(queries, kQueryBlock);
    const int64_t tasks = shape_.batch * shape_.heads * blocks;
    parallel_runs(tasks, min(queries, kQueryBlock) * keys, [&](int64_t begin, int64_t end) {
      Scratch scratch;
      Block block = allocate(scratch);
      for (int64_t task = begin; task < end; task++) {
        const int64_t h = task / blocks % shape_.heads;
        const Head head(shape_, task / blocks / shape_.heads, h);
        const int64_t first = task % blocks * kQueryBlock;
        if (first < head.queries) {
          query_block(head, first, min(kQueryBlock, head.queries - first), block);
        }
      }
    });
  }

 private:
  static constexpr int64_t kScoreStride = kKeyBlock + 16;

  struct Block {
    T* q;  // words [queries, q_stride]
    T* out;  // [queries, width]
    T *maximum, *sum;  // [queries]; a vector may be read beyond
    T *keys, *values;  // panels of words; words [keys][width]
    T *scores, *keep;  // [tile, kScoreStride] each
    uint8_t* visible;  // [tile, kScoreStride]
    bool finite;  // whether values of this block are
  };

  Block allocate(Scratch& scratch) const {
    Block block;
    block.q = scratch.take<T>(kQueryBlock * q_stride_);
    block.out = scratch.take<T>(kQueryBlock * width_);
    block.maximum = scratch.take<T>(kQueryBlock + V::size);
    block.sum = scratch.take<T>(kQueryBlock + V::size);
    block.keys = scratch.take<T>(kKeyBlock * words_);
    block.values = scratch.take<T>(words_of<P>(kKeyBlock) * width_);
    block.scores = scratch.take<T>(K::kRows * kScoreStride);
    block.keep = scratch.take<T>(K::kRows * kScoreStride + kWords);
    block.visible = may_hide_ ? scratch.take<uint8_t>(K::kRows * kScoreStride) : nullptr;
    return block;
  }

  void query_block(const Head& head, int64_t first, int64_t count, Block& block) const {
    pack_along<P>(head.q<S>(args_.q, first), args_.q.row_stride, count, depth_, block.q, q_stride_);
    fill(block.out, 0, count * width_, T(0));
    fill(block.maximum, 0, count, Score<T>::hidden());
    fill(block.sum, 0, count, T(0));
    const VisibleRange visible_range(shape_.visibility, head);
    const Range seen = visible_range.of(first, first + count - 1);
    for (int64_t key = seen.first / kKeyBlock * kKeyBlock; key < seen.end; key += kKeyBlock) {
      const int64_t keys = min(kKeyBlock, seen.end - key);  // those behind nobody here sees
      load_keys(head, key, keys, block);
      const int64_t step = even_tile<P>(count);
      for (int64_t i = 0; i < count; i += step) {
        tile(head, visible_range, first, i, min(step, count - i), key, keys, block);
      }
    }
    finish(head, first, count, block);
  }

  void load_keys(const Head& head, int64_t key, int64_t keys, Block& block) const {
    pack_keys<P>(head.k<S>(args_.k, key), args_.k.row_stride, keys, depth_, block.keys);
    pack_depth<P>(head.k<S>(args_.v, key), args_.v.row_stride, keys, depth_, width_, block.values);
    block.finite = !may_hide_ || all_finite<P>(block.values, words_of<P>(keys) * width_);
  }

  // Queries first + at .. against keys key .. key + keys.
  void tile(const Head& head, const VisibleRange& visible_range, int64_t first, int64_t at,
            int64_t rows, int64_t key, int64_t keys, const Block& block) const {
    const Range seen = visible_range.of(first + at, first + at + rows - 1);
    const int64_t from = max(0, seen.first - key) / K::kWidth * K::kWidth;
    const int64_t to = min(keys, seen.end - key);
    if (from >= to) return;
    const int64_t end = round_up(to, V::size);
    tile_scores<P>(block.q + at * q_stride_, q_stride_, rows, block.keys + from * words_, words_,
                   to - from, score_, block.scores + from, kScoreStride);
    for (int64_t i = 0; i < rows; i++) {
      T* scores = block.scores + i * kScoreStride;
      fill(scores, to, end, Score<T>::hidden());
      if (!may_hide_) continue;
      hide(shape_.visibility, head, visible_range, score_, first + at + i, key, from, to, scores);
      if (!block.finite) {
        note_visible(scores + from, to - from, block.visible + i * kScoreStride + from);
      }
    }
    if (shape_.dropout.threshold > 0) {
      const uint32_t stream = uint32_t(head.sequence * shape_.heads + head.head);
      dropout_multipliers(shape_.dropout, key + from, end - from, uint32_t(first + at), rows,
                          stream, 1, block.keep, kScoreStride);
    }
    for (int64_t i = 0; i < rows; i += V::size) {
      softmax(at + i, min(V::size, rows - i), from, end, block.scores + i * kScoreStride,
              block.keep + i * kScoreStride, block);
    }
    const T* weights = block.scores + from / P::kDepth;
    const T* values = block.values + from / P::kDepth * width_;
    T* out = block.out + at * width_;
    if (block.finite) {
      add_products<P, false>(weights, kScoreStride, rows, words_of<P>(to - from), values, width_,
                             width_, out, width_);
    } else {
      add_visible_products<P>({weights, kScoreStride, 1}, {block.visible + from, kScoreStride, 1},
                              rows, to - from, values, width_, width_, out, width_);
    }
  }

  // Scores of up to a vector of rows become weights, in place, as elements of the product to come;
  // the rows' maxima, sums and outputs so far are brought up to date. Lanes meet keys by their
  // place in the block, whatever range is computed.
  PT_INLINE void softmax(int64_t row, int64_t rows, int64_t from, int64_t end, T* scores,
                         const T* keep, const Block& block) const {
    const V hidden = V::broadcast(Score<T>::hidden()), zero = V::zero();
    V part[V::size];
    for (int64_t i = 0; i < V::size; i++) {
      part[i] = hidden;
      for (int64_t j = from; i < rows && j < end; j += V::size) {
        part[i] = V::max(part[i], V::load(scores + i * kScoreStride + j));
      }
    }
    const V before = V::load(block.maximum + row);
    const V top = V::max(before, across_lanes(part, [](V a, V b) { return V::max(a, b); }));
    // Nothing visible so far: any finite shift keeps the weights at 0.
    const V base = V::select_less(top, V::broadcast(Score<T>::lowest()), zero, top);
    const V exponent = V::broadcast(score_.exponent);
    const V factor = V::exp2((before - base) * exponent);
    T shifts[V::size], factors[V::size];
    base.store(shifts);
    factor.store(factors);
    for (int64_t i = 0; i < V::size; i++) part[i] = zero;
    const bool dropped = shape_.dropout.threshold > 0;
    for (int64_t i = 0; i < rows; i++) {
      T* const from_row = scores + i * kScoreStride;
      typename P::Element* const to_row = reinterpret_cast<typename P::Element*>(from_row);
      const V shift = V::broadcast(shifts[i]);
      V sum = zero;
      for (int64_t j = from; j < end; j += V::size) {
        V weight = V::exp2((V::load(from_row + j) - shift) * exponent);
        sum = sum + weight;
        if (dropped) weight = weight * V::load(keep + i * kScoreStride + j - from);
        weight.store(to_row + j);
      }
      part[i] = sum;
      if (factors[i] != 1 && block.sum[row + i] != 0) {
        T* out = block.out + (row + i) * width_;
        for (int64_t j = 0; j < width_; j += V::size) {
          (V::load(out + j) * V::broadcast(factors[i])).store(out + j);
        }
      }
    }
    const V added = across_lanes(part, [](V a, V b) { return a + b; });
    top.store(block.maximum + row, int(rows));
    V::fma(V::load(block.sum + row), factor, added).store(block.sum + row, int(rows));
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
  const Score<T> score_;
  const int64_t depth_, words_, q_stride_, width_;
  const bool may_hide_;
};

}  // namespace

void attention_forward(const AttentionForwardArgs& args) {
  with_storage(args.shape.type, [&](auto stored) { Forward<decltype(stored)>(args).run(); });
}

PT_ISA_END
