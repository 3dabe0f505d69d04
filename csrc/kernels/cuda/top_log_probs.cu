// The best log-probabilities of a row: one block for each row, which it reads once.
//
// Each thread keeps the kHeld best of its own columns in order, beside the maximum and the sum of
// exponentials. Then k rounds: the best of all threads' first columns is the next result, and the
// thread that held it moves on to its next one. Who has given away all kHeld looks through its
// columns again, which is rare as long as k is small. Where it is not, top_log_probs_many.cu takes
// over.
#include "top_log_probs.h"

namespace pt::cuda {
namespace {

constexpr int kHeld = 4;
// A round is ten shuffles and a barrier one after the other, some 0.3 us; selecting by digits takes
// several passes over the row whatever k is, some 10 us for a row of 10,000 columns and 25 us for
// one of 50,000.
constexpr int64_t kMostRounds = 32;

template <class T>
struct Candidate {
  T value;
  int column;

  // Never two of the same column, but for those that stand for none.
  __device__ __forceinline__ bool before(const Candidate& other) const {
    return value > other.value || (value == other.value && column < other.column);
  }
};

template <class T>
struct TopShared {
  Candidate<T> best[2][kTopWarps];  // of a round and of the next
  T sums[kTopWarps][1];
};

// What one thread knows of its columns.
template <class S>
class Own {
 public:
  using T = Compute<S>;
  __device__ __forceinline__ Own(const TopLogProbsArgs& args, bool aligned) : row_(args, aligned) {
    forget();
    row_.for_columns([&](T x, int column) {
      sum_.add(x);
      hold({ranked(x), column});
    });
  }

  __device__ __forceinline__ const Candidate<T>& first() const { return held_[0]; }
  __device__ __forceinline__ void move_on() {
    const Candidate<T> last = held_[0];
#pragma unroll
    for (int i = 1; i < kHeld; i++) held_[i - 1] = held_[i];
    held_[kHeld - 1] = none();
    if (--left_ > 0) return;
    forget();
    row_.for_columns([&](T x, int column) {
      const Candidate<T> next{ranked(x), column};
      if (last.before(next)) hold(next);
    });
  }
  __device__ __forceinline__ const TopSum<T>& sum() const { return sum_; }

 private:
  static __device__ __forceinline__ Candidate<T> none() { return {-T(INFINITY), 0x7fffffff}; }

  __device__ __forceinline__ void forget() {
    left_ = kHeld;
#pragma unroll
    for (int i = 0; i < kHeld; i++) held_[i] = none();
  }
  __device__ __forceinline__ void hold(Candidate<T> next) {
    if (!next.before(held_[kHeld - 1])) return;
#pragma unroll
    for (int i = 0; i < kHeld; i++) {
      if (!next.before(held_[i])) continue;
      const Candidate<T> pushed = held_[i];
      held_[i] = next;
      next = pushed;
    }
  }

  const TopRow<S> row_;
  Candidate<T> held_[kHeld];
  int left_;  // of those held, until the columns are looked through again
  TopSum<T> sum_;
};

template <class T>
__device__ __forceinline__ Candidate<T> best_of_block(Candidate<T> own,
                                                      Candidate<T> (&slots)[kTopWarps]) {
#pragma unroll
  for (int step = kWarp / 2; step > 0; step /= 2) {
    const Candidate<T> other{__shfl_xor_sync(kAllLanes, own.value, step),
                             __shfl_xor_sync(kAllLanes, own.column, step)};
    if (other.before(own)) own = other;
  }
  if (threadIdx.x % kWarp == 0) slots[threadIdx.x / kWarp] = own;
  __syncthreads();
  Candidate<T> best = slots[0];
#pragma unroll
  for (int warp = 1; warp < kTopWarps; warp++) {
    if (slots[warp].before(best)) best = slots[warp];
  }
  return best;
}

template <class S>
__global__ void __launch_bounds__(kTopThreads, 1) choose(const TopLogProbsArgs args, bool aligned) {
  using T = Compute<S>;
  auto& shared = shared_layout<TopShared<T>>();
  Own<S> own(args, aligned);
  T normaliser = 0;
  for (int64_t i = 0; i < args.k; i++) {
    const Candidate<T> best = best_of_block(own.first(), shared.best[i % 2]);
    if (i == 0) normaliser = own.sum().logarithm(best.value, shared.sums);
    if (own.first().column == best.column) own.move_on();
    if (threadIdx.x == 0) {
      static_cast<T*>(args.values)[blockIdx.x * args.k + i] = best.value - normaliser;
      args.indices[blockIdx.x * args.k + i] = best.column;
    }
  }
}

}  // namespace

Status top_log_probs(const TopLogProbsArgs& args, Queue& queue) {
  if (args.rows == 0 || args.k == 0) return {};
  if (args.k > kMostRounds) return top_log_probs_many(args, queue);
  return with_storage(args.type, [&](auto stored) {
    using S = decltype(stored);
    return launch("top_log_probs", choose<S>, unsigned(args.rows), kTopThreads,
                  sizeof(TopShared<Compute<S>>), queue, args,
                  rows_are_aligned<S>(args.logits, args.row_stride));
  });
}

}  // namespace pt::cuda
