// The sum of squares of many tensors in float64: each block one chunk of a constant length, then
// one block adds the chunks of all tensors. Which elements a thread adds does not depend on
// alignment, so neither does the result.
//
// A model has hundreds of tensors, most of them small. A launch takes as many as a table among its
// parameters holds: no copy to the device, and nobody waits.
#include "lanes.h"
#include "vectors.h"

namespace pt::cuda {
namespace {

constexpr int kWarps = 8, kThreads = kWarps * kWarp;
constexpr int kChunk = 16384;  // elements

// What every toolkit and device takes as a kernel's parameters (CUDA C++ Programming Guide,
// "Function Parameters"; 32764 bytes from CUDA 12.1 on), and the tensors that a table of that size
// has room for: 21 bytes each.
constexpr size_t kParameterBytes = 4096;
constexpr int kTensors = 192;

using Elements = SumOfSquaresArgs::Elements;

unsigned chunks_of(const Elements& tensor) { return unsigned(pieces_of(tensor.n, kChunk)); }

// Tensors that have elements, and the first block of each.
struct Table {
  const void* x[kTensors];
  int64_t n[kTensors];
  unsigned first[kTensors];
  Type type[kTensors];
  int count = 0;

  void add(const Elements& tensor, unsigned block) {
    x[count] = tensor.x;
    n[count] = tensor.n;
    first[count] = block;
    type[count++] = tensor.type;
  }
};
static_assert(sizeof(Table) + sizeof(double*) <= kParameterBytes);

__device__ __forceinline__ int tensor_of(const Table& table, unsigned block) {
  int tensor = 0;
#pragma unroll
  for (int step = 128; step > 0; step /= 2) {
    const int other = tensor + step;
    if (other < table.count && table.first[other] <= block) tensor = other;
  }
  return tensor;
}
static_assert(kTensors <= 256);  // what its steps reach

struct Slots {
  double sums[kWarps][1];
};

// A thread's part of a chunk of `n` elements.
template <class S>
__device__ __forceinline__ double squares(const S* x, int n) {
  constexpr int kSize = kVector<S>;
  const bool aligned = is_aligned(x);
  double sum = 0;
#pragma unroll 4
  for (int i = threadIdx.x * kSize; i < n; i += kThreads * kSize) {
    double values[kSize];
    load_up_to(x + i, n - i, aligned, values);
#pragma unroll
    for (int e = 0; e < kSize; e++) sum += values[e] * values[e];
  }
  return sum;
}

__global__ void __launch_bounds__(kThreads)
    add_squares(const __grid_constant__ Table table, double* partial) {
  const int tensor = tensor_of(table, blockIdx.x);
  const int64_t at = int64_t(blockIdx.x - table.first[tensor]) * kChunk;
  const int n = int(min(int64_t(kChunk), table.n[tensor] - at));
  double sum[1] = {0};
  with_elements<double>(table.type[tensor], [&](auto stored) {
    sum[0] = squares(static_cast<const decltype(stored)*>(table.x[tensor]) + at, n);
  });
  warps_sum(sum, shared_layout<Slots>().sums);
  if (threadIdx.x == 0) partial[blockIdx.x] = sum[0];
}

__global__ void __launch_bounds__(kThreads)
    add_partial(const double* partial, int64_t chunks, double* out) {
  double sum[1] = {0};
#pragma unroll 4
  for (int64_t i = threadIdx.x; i < chunks; i += kThreads) sum[0] += partial[i];
  warps_sum(sum, shared_layout<Slots>().sums);
  if (threadIdx.x == 0) *out = sum[0];
}

}  // namespace

Status sum_of_squares(const SumOfSquaresArgs& args, Queue& queue) {
  constexpr const char* name = "sum_of_squares";
  int64_t chunks = 0;
  for (int64_t i = 0; i < args.count; i++) chunks += chunks_of(args.tensors[i]);
  auto* partial = static_cast<double*>(queue.take(size_t(chunks) * sizeof(double)));
  int64_t done = 0;  // chunks
  for (int64_t i = 0; i < args.count;) {
    Table table;
    unsigned blocks = 0;
    for (; i < args.count && table.count < kTensors; i++) {
      if (args.tensors[i].n > 0) table.add(args.tensors[i], blocks);
      blocks += chunks_of(args.tensors[i]);
    }
    if (blocks == 0) continue;
    const Status status =
        launch(name, add_squares, blocks, kThreads, sizeof(Slots), queue, table, partial + done);
    if (status.failed()) return status;
    done += blocks;
  }
  return launch(name, add_partial, 1u, kThreads, sizeof(Slots), queue, partial, chunks, args.out);
}

}  // namespace pt::cuda
