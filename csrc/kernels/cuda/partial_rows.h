// The second half of a sum over many rows: partial rows, one for each chunk, are added in an order
// that depends on their number alone: kSlices interleaved slices, then those.
#pragma once

#include "device.h"

namespace pt::cuda {

constexpr int kSlices = 8;

// An Output has store(j, total) for each of its columns.
template <class T, class Output>
__global__ void __launch_bounds__(kSlices* kWarp)
    add_partial_rows(const T* partial, int64_t chunks, int64_t columns, const Output output) {
  struct Shared {
    T sums[kSlices][kWarp];
  };
  auto& shared = shared_layout<Shared>();
  const int lane = threadIdx.x % kWarp, slice = threadIdx.x / kWarp;
  const int64_t j = int64_t(blockIdx.x) * kWarp + lane;
  T total = 0;
  if (j < columns) {
    for (int64_t chunk = slice; chunk < chunks; chunk += kSlices) {
      total += partial[chunk * columns + j];
    }
  }
  shared.sums[slice][lane] = total;
  __syncthreads();
  if (slice > 0 || j >= columns) return;
  total = 0;
#pragma unroll
  for (int other = 0; other < kSlices; other++) total += shared.sums[other][lane];
  output.store(j, total);
}

template <class T, class Output>
Status launch_add_partial_rows(const char* name, const T* partial, int64_t chunks, int64_t columns,
                               const Output& output, Queue& queue) {
  return launch(name, add_partial_rows<T, Output>, unsigned(pieces_of(columns, kWarp)),
                kSlices * kWarp, kSlices * kWarp * sizeof(T), queue, partial, chunks, columns,
                output);
}

}  // namespace pt::cuda
