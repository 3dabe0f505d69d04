// What attention's kernels share: where a sequence lies, which keys a query sees, and scores with
// the hidden ones at -infinity; as csrc/kernels/cpu/attention_scores.h has it.
#pragma once

#include "../attention.h"
#include "device.h"
#include "vectors.h"

namespace pt::cuda {

// One side's rows of sequence b: the first one among packed rows, 0 when dense, and how many there
// are. Nobody has checked boundaries that lie in a device's memory, so here they are cut to the
// rows that there are, and to the length that grids, statistics and masks are made for. In 32 bits,
// as boundaries are: what is wider stays in registers that wide heads do not have.
struct SequenceRows {
  int first, count;

  __device__ __forceinline__ SequenceRows(const int32_t* cu_seqlens, unsigned b, int64_t rows,
                                          int64_t longest) {
    int begin = 0, end = int(longest);
    if (cu_seqlens != nullptr) {
      begin = cu_seqlens[b];
      end = cu_seqlens[b + 1];
    }
    const int last = int(min(rows, int64_t(INT32_MAX)));
    first = min(max(begin, 0), last);
    end = max(min(end, last), first);
    count = min(end - first, int(longest));
  }
};

// One head of one sequence. Lengths and rows fit 32 bits; places in memory do not.
struct Head {
  int sequence, head;
  int queries, keys;     // lengths
  int first_q, first_k;  // row of the first one among packed rows, 0 when dense

  __device__ __forceinline__ Head(const AttentionShape& shape, unsigned b, unsigned h)
      : Head(b, h, SequenceRows(shape.cu_seqlens_q, b, shape.rows_q, shape.length_q),
             SequenceRows(shape.cu_seqlens_k, b, shape.rows_k, shape.length_k)) {}
  // Where its rows of statistics[0] begin.
  __device__ __forceinline__ int64_t first_statistic(const AttentionShape& shape) const {
    const bool packed = shape.cu_seqlens_q != nullptr;
    return head * shape.rows_q + (packed ? first_q : sequence * shape.length_q);
  }
  template <class S>
  __device__ __forceinline__ S* q(const HeadRows& rows, int64_t i) const {
    return static_cast<S*>(rows.data) + sequence * rows.batch_stride +
           (first_q + i) * rows.row_stride + head * rows.head_stride;
  }
  template <class S>
  __device__ __forceinline__ S* k(const HeadRows& rows, int64_t j) const {
    return static_cast<S*>(rows.data) + sequence * rows.batch_stride +
           (first_k + j) * rows.row_stride + head * rows.head_stride;
  }

 private:
  __device__ __forceinline__ Head(unsigned b, unsigned h, const SequenceRows& q,
                                  const SequenceRows& k)
      : sequence(int(b)), head(int(h)), queries(q.count), keys(k.count), first_q(q.first),
        first_k(k.first) {}
};

// The stream of one head's dropout: counter (key / 4, query, sequence * heads + head, 1).
__device__ __forceinline__ uint32_t dropout_stream(const AttentionShape& shape, const Head& head) {
  return uint32_t(head.sequence * shape.heads + head.head);
}

// Whether every row of every head of these operands begins at a multiple of 16 bytes and is whole
// vectors.
template <class S, class... Rows>
bool heads_are_aligned(int64_t head_dim, const Rows&... operands) {
  constexpr int64_t kSize = kVector<S>;
  const auto aligned = [](const HeadRows& rows) {
    return is_aligned(rows.data) && rows.batch_stride % kSize == 0 &&
           rows.row_stride % kSize == 0 && rows.head_stride % kSize == 0;
  };
  return head_dim % kSize == 0 && (aligned(operands) && ...);
}

// Blocks of a grid are numbered by rows of a head (queries or keys, kRows to a block, as many as
// the longest sequence needs), then heads, then sequences.
inline unsigned blocks_of_heads(const AttentionShape& shape, int64_t length, int rows) {
  return unsigned(pieces_of(length, rows) * shape.heads * shape.batch);
}
struct BlockOfHead {
  Head head;
  int first;  // row; beyond the end where a sequence is shorter than the longest
  __device__ __forceinline__ BlockOfHead(const AttentionShape& shape, int64_t length, int rows)
      : BlockOfHead(shape, rows, blockIdx.x, unsigned(pieces_of(length, rows))) {}

 private:
  __device__ __forceinline__ BlockOfHead(const AttentionShape& shape, int rows, unsigned block,
                                         unsigned blocks)
      : head(shape, block / blocks / unsigned(shape.heads), block / blocks % unsigned(shape.heads)),
        first(int(block % blocks) * rows) {}
};

struct Range {
  int first, end;
};

// The keys that causality and the window leave to a query: one range.
class VisibleRange {
 public:
  __device__ __forceinline__ VisibleRange(const Visibility& v, const Head& head)
      : offset_(head.keys - head.queries), queries_(head.queries), keys_(head.keys),
        left_(int(v.window_left)), right_(v.causal ? 0 : int(v.window_right)) {}
  // Of none where there is no such query.
  __device__ __forceinline__ Range of(int query) const {
    return query < queries_ ? of(query, query) : Range{0, 0};
  }
  // The union for consecutive queries first..last, which exist.
  __device__ __forceinline__ Range of(int first, int last) const {
    const int begin = left_ < 0 ? 0 : max(0, first + offset_ - left_);
    const int end = right_ < 0 ? keys_ : min(keys_, last + offset_ + right_ + 1);
    return {begin, max(begin, end)};
  }
  // The queries that see a key, or some of the keys first..last, which exist.
  __device__ __forceinline__ Range seeing(int key) const {
    return key < keys_ ? seeing(key, key) : Range{0, 0};
  }
  __device__ __forceinline__ Range seeing(int first, int last) const {
    const int begin = right_ < 0 ? 0 : max(0, first - offset_ - right_);
    const int end = left_ < 0 ? queries_ : min(queries_, last - offset_ + left_ + 1);
    return {begin, max(begin, end)};
  }
  // Whether queries first..last and keys from..to exist and each of them sees all of these.
  __device__ __forceinline__ bool all_seen(int first, int last, int from, int to) const {
    return last < queries_ && to < keys_ && (left_ < 0 || last + offset_ - left_ <= from) &&
           (right_ < 0 || to <= first + offset_ + right_);
  }

 private:
  int offset_, queries_, keys_, left_, right_;
};

__host__ __device__ inline bool may_hide(const Visibility& v) {
  return v.causal || v.window_left >= 0 || v.window_right >= 0 || v.kind != MaskKind::none;
}

// A score q k stays as the product gives it, in units of the scale; what is added to it (a mask) is
// divided by the unit, and 2^((score - largest) * exponent) is the weight. -infinity marks a hidden
// slot, and nothing else is ever lower than the lowest number.
template <class T>
struct Score {
  T factor;    // of the product, unless it is 1
  T unit;      // of masks
  T exponent;  // of 2

  // A scale that cannot be divided by is multiplied in.
  explicit __device__ __forceinline__ Score(double scale) {
    const bool divides = scale > 1e-20;
    factor = divides ? T(1) : T(scale);
    unit = divides ? T(scale) : T(1);
    exponent = T((divides ? scale : 1.0) * 1.4426950408889634);
  }
  static __device__ __forceinline__ T hidden() { return -T(INFINITY); }
  static __device__ __forceinline__ T lowest() {
    return sizeof(T) == 8 ? T(-1.7976931348623157e308) : T(-3.4028234663852886e38f);
  }
  static __device__ __forceinline__ bool is_hidden(T score) { return score < lowest(); }
};

// A score that the range shows, with what the mask adds, or -infinity where it hides the key.
template <class T>
__device__ __forceinline__ T masked(const Visibility& v, const Head& head, const Score<T>& score,
                                    int query, int key, T x) {
  if (v.kind == MaskKind::none) return x;
  const int64_t at = head.sequence * v.mask_batch + head.head * v.mask_head + query * v.mask_query +
                     key * v.mask_key;
  if (v.kind == MaskKind::boolean) {
    return static_cast<const uint8_t*>(v.mask)[at] == 0 ? Score<T>::hidden() : x;
  }
  // Only -infinity hides; the lowest finite numbers, which people use for it, must stay finite.
  const T added = static_cast<const T*>(v.mask)[at];
  const T sum = x + added / score.unit;
  return added == Score<T>::hidden() ? added : Score<T>::is_hidden(sum) ? Score<T>::lowest() : sum;
}

}  // namespace pt::cuda
