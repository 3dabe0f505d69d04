// The sum of squares in float64: each block one chunk of a constant length, then one block adds the
// chunks. Which elements a thread adds does not depend on alignment, so neither does the result.
#include "lanes.h"
#include "vectors.h"

namespace pt::cuda {
namespace {

constexpr int kWarps = 8, kThreads = kWarps * kWarp;
constexpr int64_t kChunk = 16384;  // elements

struct Slots {
  double sums[kWarps][1];
};

template <class S>
__global__ void __launch_bounds__(kThreads)
    add_squares(const SumOfSquaresArgs args, double* partial, bool aligned) {
  constexpr int kSize = kVector<S>;
  const int64_t first = int64_t(blockIdx.x) * kChunk, end = min(first + kChunk, args.n);
  double sum[1] = {0};
#pragma unroll 4
  for (int64_t i = first + threadIdx.x * kSize; i < end; i += kThreads * kSize) {
    double x[kSize];
    load_up_to(static_cast<const S*>(args.x) + i, end - i, aligned, x);
#pragma unroll
    for (int e = 0; e < kSize; e++) sum[0] += x[e] * x[e];
  }
  warps_sum(sum, shared_layout<Slots>().sums);
  if (threadIdx.x == 0) partial[blockIdx.x] = sum[0];
}

__global__ void __launch_bounds__(kThreads)
    add_partial(const double* partial, int64_t chunks, double* out) {
  double sum[1] = {0};
  for (int64_t i = threadIdx.x; i < chunks; i += kThreads) sum[0] += partial[i];
  warps_sum(sum, shared_layout<Slots>().sums);
  if (threadIdx.x == 0) *out = sum[0];
}

}  // namespace

Status sum_of_squares(const SumOfSquaresArgs& args, Queue& queue) {
  constexpr const char* name = "sum_of_squares";
  const int64_t chunks = pieces_of(args.n, kChunk);
  // One chunk is the whole sum: most parameters are small.
  auto* partial =
      chunks == 1 ? args.out : static_cast<double*>(queue.take(size_t(chunks) * sizeof(double)));
  if (chunks > 0) {
    const Status status = with_storage(args.type, [&](auto stored) {
      return launch(name, add_squares<decltype(stored)>, unsigned(chunks), kThreads, sizeof(Slots),
                    queue, args, partial, is_aligned(args.x));
    });
    if (status.failed() || chunks == 1) return status;
  }
  return launch(name, add_partial, 1u, kThreads, sizeof(Slots), queue, partial, chunks, args.out);
}

}  // namespace pt::cuda
