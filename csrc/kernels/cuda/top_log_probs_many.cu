// The best log-probabilities of a row where they are many: one block for each row.
//
// Every column has a rank, a whole number: the bits of its value, so that greater ones are greater
// numbers, and below them its distance from the last column. No two ranks are equal. The k-th is
// found by digits of 8 bits from the top: a pass over the row counts, of the ranks that begin with
// the digits found so far, how many go on with which digit. That ends where all that begin with the
// digits found are among the k best: 2 to 4 passes for float32, and some more over the digits of
// columns where equal values have to be cut. Another pass gathers these ranks, in any order, and
// shared memory is where they are sorted (bitonic; Batcher 1968, "Sorting networks and their
// applications").
//
// What is too much for shared memory is done in turns: each begins below the last rank of the one
// before.
#include <type_traits>

#include "top_log_probs.h"

namespace pt::cuda {
namespace {

constexpr int kDigitBits = 8, kDigits = 1 << kDigitBits;
constexpr int kMostOfTurn = 2048;  // ranks: 32 KB of float64's, and a power of two
// A thread's vectors that are on their way at once: more do not fit in registers.
template <class S>
constexpr int kAhead = 16 / kVector<S>;

__extension__ using Wide = unsigned __int128;

__device__ __forceinline__ uint16_t bits_of(bfloat16 x) { return x.bits; }
__device__ __forceinline__ uint16_t bits_of(float16 x) { return x.bits; }
__device__ __forceinline__ uint32_t bits_of(float x) { return __float_as_uint(x); }
__device__ __forceinline__ uint64_t bits_of(double x) { return uint64_t(__double_as_longlong(x)); }
__device__ __forceinline__ void from_bits(uint16_t bits, bfloat16& x) { x.bits = bits; }
__device__ __forceinline__ void from_bits(uint16_t bits, float16& x) { x.bits = bits; }
__device__ __forceinline__ void from_bits(uint32_t bits, float& x) { x = __uint_as_float(bits); }
__device__ __forceinline__ void from_bits(uint64_t bits, double& x) {
  x = __longlong_as_double(int64_t(bits));
}

// The ranks of a row's columns, none of them 0.
template <class S>
class Ranks {
 public:
  using T = Compute<S>;
  using Rank = std::conditional_t<sizeof(S) == 8, Wide, uint64_t>;

  __device__ __forceinline__ explicit Ranks(int64_t columns) : last_(uint32_t(columns - 1)) {
    while (column_bits_ < 32 && last_ >> column_bits_ > 0) column_bits_ += kDigitBits;
  }
  __device__ __forceinline__ int bits() const { return kValueBits + column_bits_; }

  __device__ __forceinline__ Rank operator()(T x, int column) const {
    const T value = ranked(x);
    const Bits bits = bits_of(narrowed<S>(value == T(0) ? T(0) : value));  // -0 is 0
    const Bits ordered = (bits & kSign) != 0 ? Bits(~bits) : Bits(bits | kSign);
    return Rank(ordered) << column_bits_ | Rank(last_ - uint32_t(column));
  }
  __device__ __forceinline__ int column(Rank rank) const {
    return int(last_ - uint32_t(rank & ((Rank(1) << column_bits_) - 1)));
  }
  __device__ __forceinline__ T value(Rank rank) const {
    const Bits ordered = Bits(rank >> column_bits_);
    S x;
    from_bits((ordered & kSign) != 0 ? Bits(ordered ^ kSign) : Bits(~ordered), x);
    return widened(x);
  }

 private:
  using Bits = decltype(bits_of(S{}));
  static constexpr int kValueBits = 8 * int(sizeof(S));
  static constexpr Bits kSign = Bits(Bits(1) << (kValueBits - 1));

  const uint32_t last_;  // column
  int column_bits_ = kDigitBits;
};

template <class T, class Rank>
struct ManyShared {
  Rank best[kMostOfTurn];
  unsigned counts[kDigits];
  unsigned digit, above, equal;  // the digit found; ranks with a greater one; with the same
  unsigned taken;  // of `best`
  T sums[kTopWarps][1];
};

// By one warp: the digit of the `wanted`-th rank from above. A lane looks at kOwn digits.
template <class Shared>
__device__ __forceinline__ void find_digit(Shared& shared, unsigned wanted) {
  constexpr int kOwn = kDigits / kWarp;
  const int lane = threadIdx.x, first = kDigits - 1 - lane * kOwn;
  unsigned own = 0;
#pragma unroll
  for (int i = 0; i < kOwn; i++) own += shared.counts[first - i];
  unsigned above = own;
#pragma unroll
  for (int step = 1; step < kWarp; step *= 2) {
    const unsigned other = __shfl_sync(kAllLanes, above, lane - step);
    if (lane >= step) above += other;
  }
  above -= own;
  if (above >= wanted || wanted > above + own) return;
  for (int digit = first;; digit--) {
    const unsigned count = shared.counts[digit];
    if (wanted <= above + count) {
      shared.digit = unsigned(digit);
      shared.above = above;
      shared.equal = count;
      return;
    }
    above += count;
  }
}

// The block's row, of which turn after turn is taken from the top.
template <class S>
class Selection {
 public:
  using T = Compute<S>;
  using Rank = typename Ranks<S>::Rank;
  using Shared = ManyShared<T, Rank>;

  __device__ __forceinline__ Selection(const TopLogProbsArgs& args, bool aligned, Shared& shared)
      : row_(args, aligned), ranks_(args.columns), shared_(shared) {}

  __device__ __forceinline__ TopSum<T> sum() const {
    TopSum<T> sum;
    row_.for_columns([&](T x, int) { sum.add(x); });
    return sum;
  }

  // shared.best: the next `count` ranks in order, for all threads to read.
  __device__ __forceinline__ void take(unsigned count) {
    const Rank least = least_of(count);
    if (threadIdx.x == 0) shared_.taken = 0;
    __syncthreads();
    row_.for_columns([&](T x, int column) {
      const Rank rank = ranks_(x, column);
      if (rank >= least && rank < bound_) shared_.best[atomicAdd(&shared_.taken, 1u)] = rank;
    });
    unsigned size = 1;
    while (size < count) size *= 2;
    for (unsigned i = count + threadIdx.x; i < size; i += kTopThreads) shared_.best[i] = 0;
    __syncthreads();
    sort(size);
    bound_ = shared_.best[count - 1];
  }
  __device__ __forceinline__ T value(unsigned i) const { return ranks_.value(shared_.best[i]); }
  __device__ __forceinline__ int column(unsigned i) const { return ranks_.column(shared_.best[i]); }

 private:
  // Where the next `wanted` ranks end, or less, with no other rank between.
  __device__ __forceinline__ Rank least_of(unsigned wanted) {
    Rank found = 0;
    for (int shift = ranks_.bits() - kDigitBits;; shift -= kDigitBits) {
      count_digits(found, shift);
      if (threadIdx.x < kWarp) find_digit(shared_, wanted);
      __syncthreads();
      found = found << kDigitBits | Rank(shared_.digit);
      wanted -= shared_.above;
      if (shared_.equal == wanted) return found << shift;
    }
  }

  __device__ __forceinline__ void count_digits(Rank found, int shift) {
    if (threadIdx.x < kDigits) shared_.counts[threadIdx.x] = 0;
    __syncthreads();
    row_.for_columns([&](T x, int column) {
      const Rank rank = ranks_(x, column), begin = rank >> shift;
      if (rank < bound_ && begin >> kDigitBits == found) {
        atomicAdd(&shared_.counts[unsigned(begin) % kDigits], 1u);
      }
    });
    __syncthreads();
  }

  // The greatest first; `size` is a power of two.
  __device__ __forceinline__ void sort(unsigned size) {
    for (unsigned run = 2; run <= size; run *= 2) {
      for (unsigned step = run / 2; step > 0; step /= 2) {
        for (unsigned i = threadIdx.x; i < size / 2; i += kTopThreads) {
          const unsigned at = 2 * i - i % step;
          Rank &first = shared_.best[at], &second = shared_.best[at + step];
          const bool falls = (at & run) == 0;
          if ((first < second) == falls) {
            const Rank moved = first;
            first = second;
            second = moved;
          }
        }
        __syncthreads();
      }
    }
  }

  const TopRow<S, kAhead<S>> row_;
  const Ranks<S> ranks_;
  Shared& shared_;
  Rank bound_ = ~Rank(0);  // what is left of the row lies below
};

template <class S>
__global__ void __launch_bounds__(kTopThreads, 1)
    choose_many(const TopLogProbsArgs args, bool aligned) {
  using T = Compute<S>;
  auto& shared = shared_layout<typename Selection<S>::Shared>();
  Selection<S> selection(args, aligned, shared);
  const TopSum<T> sum = selection.sum();
  T normaliser = 0;
  for (int64_t done = 0; done < args.k; done += kMostOfTurn) {
    const auto count = unsigned(min(args.k - done, int64_t(kMostOfTurn)));
    selection.take(count);
    if (done == 0) normaliser = sum.logarithm(selection.value(0), shared.sums);
    for (unsigned i = threadIdx.x; i < count; i += kTopThreads) {
      const int64_t to = blockIdx.x * args.k + done + i;
      static_cast<T*>(args.values)[to] = selection.value(i) - normaliser;
      args.indices[to] = selection.column(i);
    }
  }
}

}  // namespace

Status top_log_probs_many(const TopLogProbsArgs& args, Queue& queue) {
  return with_storage(args.type, [&](auto stored) {
    using S = decltype(stored);
    return launch("top_log_probs", choose_many<S>, unsigned(args.rows), kTopThreads,
                  sizeof(typename Selection<S>::Shared), queue, args,
                  rows_are_aligned<S>(args.logits, args.row_stride));
  });
}

}  // namespace pt::cuda
