// The best log-probabilities of a row: one block for each row, which it reads once.
//
// Each thread keeps the kHeld best of its own columns in order, beside the maximum and the sum of
// exponentials. Then k rounds: the best of all threads' first columns is the next result, and the
// thread that held it moves on to its next one. Who has given away all kHeld looks through its
// columns again, which is rare unless k is large.
#include "functions.h"
#include "lanes.h"
#include "vectors.h"

namespace pt::cuda {
namespace {

constexpr int kWarps = 16, kThreads = kWarps * kWarp;
constexpr int kHeld = 4;

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
  Candidate<T> best[2][kWarps];  // of a round and of the next
  T sums[kWarps][1];
};

// What one thread knows of its columns.
template <class S>
class Own {
 public:
  using T = Compute<S>;
  __device__ __forceinline__ Own(const TopLogProbsArgs& args, bool aligned)
      : row_(static_cast<const S*>(args.logits) + int64_t(blockIdx.x) * args.row_stride),
        columns_(int(args.columns)), aligned_(aligned) {
    forget();
    for_columns([&](T x, int column) {
      add(x);
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
    for_columns([&](T x, int column) {
      const Candidate<T> next{ranked(x), column};
      if (last.before(next)) hold(next);
    });
  }
  // The thread's part of the sum of exp(x - largest).
  __device__ __forceinline__ T sum(T largest) const {
    return sum_ == T(0) ? T(0) : sum_ * natural_exp(largest_ - largest);
  }

 private:
  static __device__ __forceinline__ T lowest() { return -T(INFINITY); }
  // NaN has a place too: that of -infinity.
  static __device__ __forceinline__ T ranked(T x) { return x == x ? x : lowest(); }
  static __device__ __forceinline__ Candidate<T> none() { return {lowest(), 0x7fffffff}; }

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
  __device__ __forceinline__ void add(T x) {
    if (x > largest_) {
      sum_ = sum_ == T(0) ? T(1) : sum_ * natural_exp(largest_ - x) + T(1);
      largest_ = x;
    } else if (x != lowest()) {
      sum_ += natural_exp(x - largest_);
    }
  }
  template <class Body>
  __device__ __forceinline__ void for_columns(const Body& body) const {
    constexpr int kSize = kVector<S>;
    for (int64_t j = threadIdx.x * kSize; j < columns_; j += kThreads * kSize) {
      T x[kSize];
      load_up_to(row_ + j, columns_ - j, aligned_, x);
#pragma unroll
      for (int e = 0; e < kSize; e++) {
        if (j + e < columns_) body(x[e], int(j) + e);
      }
    }
  }

  const S* row_;
  const int columns_;
  const bool aligned_;
  Candidate<T> held_[kHeld];
  int left_;  // of those held, until the columns are looked through again
  T largest_ = lowest(), sum_ = 0;
};

template <class T>
__device__ __forceinline__ Candidate<T> best_of_block(Candidate<T> own,
                                                      Candidate<T> (&slots)[kWarps]) {
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
  for (int warp = 1; warp < kWarps; warp++) {
    if (slots[warp].before(best)) best = slots[warp];
  }
  return best;
}

template <class S>
__global__ void __launch_bounds__(kThreads) choose(const TopLogProbsArgs args, bool aligned) {
  using T = Compute<S>;
  auto& shared = shared_layout<TopShared<T>>();
  Own<S> own(args, aligned);
  T normaliser = 0;
  for (int64_t i = 0; i < args.k; i++) {
    const Candidate<T> best = best_of_block(own.first(), shared.best[i % 2]);
    if (i == 0) {
      T sum[1] = {own.sum(best.value)};
      warps_sum(sum, shared.sums);
      // NaN where the largest is infinite, as the definition has it.
      normaliser = best.value + natural_log(sum[0]) + (best.value - best.value);
    }
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
  return with_storage(args.type, [&](auto stored) {
    using S = decltype(stored);
    return launch("top_log_probs", choose<S>, unsigned(args.rows), kThreads,
                  sizeof(TopShared<Compute<S>>), queue, args,
                  rows_are_aligned<S>(args.logits, args.row_stride));
  });
}

}  // namespace pt::cuda
