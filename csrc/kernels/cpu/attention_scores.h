// What attention's forward, backward and weights share: where a sequence lies, which keys a query
// sees, and scores with the hidden ones at -infinity.
#pragma once

#include "../attention.h"
#include "arithmetic.h"
#include "parallel.h"
#include "simd/vector.h"

PT_ISA_BEGIN
namespace {

// Keys are cut into blocks of this many from the start of each sequence: a constant, so that the
// order of summation depends on the sequence alone. A multiple of every panel's width.
constexpr int64_t kKeyBlock = 256;

// One head of one sequence.
struct Head {
  int64_t sequence, head;
  int64_t queries, keys;        // lengths
  int64_t first_q, first_k;     // row of the first one among packed rows, 0 when dense
  int64_t first_statistic;      // where its rows of statistics[0] begin

  PT_INLINE Head(const AttentionShape& shape, int64_t b, int64_t h) : sequence(b), head(h) {
    const int32_t* q = shape.cu_seqlens_q;
    const int32_t* k = shape.cu_seqlens_k;
    first_q = q != nullptr ? int64_t(q[b]) : 0;
    first_k = k != nullptr ? int64_t(k[b]) : 0;
    queries = q != nullptr ? int64_t(q[b + 1]) - first_q : shape.length_q;
    keys = k != nullptr ? int64_t(k[b + 1]) - first_k : shape.length_k;
    first_statistic = h * shape.rows_q + (q != nullptr ? first_q : b * shape.length_q);
  }
  template <class S>
  PT_INLINE S* q(const HeadRows& rows, int64_t i) const {
    return static_cast<S*>(rows.data) + sequence * rows.batch_stride +
           (first_q + i) * rows.row_stride + head * rows.head_stride;
  }
  template <class S>
  PT_INLINE S* k(const HeadRows& rows, int64_t j) const {
    return static_cast<S*>(rows.data) + sequence * rows.batch_stride +
           (first_k + j) * rows.row_stride + head * rows.head_stride;
  }
};

struct Range {
  int64_t first, end;
};

// The keys that causality and the window leave to a query: one range.
class VisibleRange {
 public:
  PT_INLINE VisibleRange(const Visibility& v, const Head& head)
      : offset_(head.keys - head.queries), keys_(head.keys), left_(v.window_left),
        right_(v.causal ? 0 : v.window_right) {}
  PT_INLINE Range of(int64_t query) const { return of(query, query); }
  // The union for consecutive queries first..last.
  PT_INLINE Range of(int64_t first, int64_t last) const {
    const int64_t begin = left_ < 0 ? 0 : max(0, first + offset_ - left_);
    const int64_t end = right_ < 0 ? keys_ : min(keys_, last + offset_ + right_ + 1);
    return {begin, max(begin, end)};
  }
  // The queries that see some of the keys first..last, of all `queries`.
  PT_INLINE Range seeing(int64_t first, int64_t last, int64_t queries) const {
    const int64_t begin = right_ < 0 ? 0 : max(0, first - offset_ - right_);
    const int64_t end = left_ < 0 ? queries : min(queries, last - offset_ + left_ + 1);
    return {begin, max(begin, end)};
  }

 private:
  int64_t offset_, keys_, left_, right_;
};

PT_INLINE bool may_hide(const Visibility& v) {
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
  explicit PT_INLINE Score(double scale) {
    const bool divides = scale > 1e-20;
    factor = divides ? T(1) : T(scale);
    unit = divides ? T(scale) : T(1);
    exponent = T((divides ? scale : 1.0) * kLog2e);
  }
  static constexpr T hidden() { return -T(__builtin_inf()); }
  static constexpr T lowest() {
    return sizeof(T) == 8 ? T(-1.7976931348623157e308) : T(-3.4028234663852886e38f);
  }
};

// Sets scores[j] for keys first_key + j, j in [from, to), to -infinity where the query may not see
// the key, and adds an additive mask.
template <class T>
PT_INLINE void hide(const Visibility& v, const Head& head, const VisibleRange& visible_range,
                    const Score<T>& score, int64_t query, int64_t first_key, int64_t from,
                    int64_t to, T* scores) {
  const Range seen = visible_range.of(query);
  const int64_t begin = min(to, max(from, seen.first - first_key));
  const int64_t end = max(begin, min(to, seen.end - first_key));
  fill(scores, from, begin, Score<T>::hidden());
  fill(scores, end, to, Score<T>::hidden());
  if (v.kind == MaskKind::none) return;
  const int64_t row = head.sequence * v.mask_batch + head.head * v.mask_head +
                      query * v.mask_query + first_key * v.mask_key;
  if (v.kind == MaskKind::boolean) {
    const uint8_t* mask = static_cast<const uint8_t*>(v.mask) + row;
    for (int64_t j = begin; j < end; j++) {
      if (mask[j * v.mask_key] == 0) scores[j] = Score<T>::hidden();
    }
    return;
  }
  const T* mask = static_cast<const T*>(v.mask) + row;
  for (int64_t j = begin; j < end; j++) {
    const T x = mask[j * v.mask_key];
    // Only -infinity hides; the lowest finite numbers, which people use for it, must stay finite.
    const T sum = scores[j] + x / score.unit;
    scores[j] = x == Score<T>::hidden() ? x : sum < Score<T>::lowest() ? Score<T>::lowest() : sum;
  }
}

// visible[j] = whether the slot was not hidden.
template <class T>
PT_INLINE void note_visible(const T* scores, int64_t n, uint8_t* visible) {
  for (int64_t j = 0; j < n; j++) visible[j] = !(scores[j] < Score<T>::lowest());
}

// body(first, last) over tasks, in runs long enough to be worth handing out when sequences are
// short; `pairs` is about how many pairs of a query and a key a task has.
template <class Body>
PT_INLINE void parallel_runs(int64_t tasks, int64_t pairs, const Body& body) {
  constexpr int64_t kPairs = int64_t(1) << 16;
  const int64_t most = max(1, tasks / (8 * thread_count()));
  const int64_t run = min(most, kPairs / max(1, pairs) + 1);
  parallel_for(pieces_of(tasks, run),
               [&](int64_t piece) { body(piece * run, min(tasks, (piece + 1) * run)); });
}

// The longest sequence of either side.
PT_INLINE int64_t longest(const AttentionShape& shape, const int32_t* starts, int64_t length) {
  if (starts == nullptr) return length;
  int64_t most = 0;
  for (int64_t b = 0; b < shape.batch; b++) most = max(most, starts[b + 1] - starts[b]);
  return most;
}

}  // namespace
PT_ISA_END
