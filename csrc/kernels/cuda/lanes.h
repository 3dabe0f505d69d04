// Sums and maxima over lanes of a warp, and over the warps of a block. Every lane gets the result,
// in an order that does not depend on anything.
#pragma once

#include "device.h"

namespace pt::cuda {

// Over groups of kLanes neighbours.
template <int kLanes = kWarp, class T>
__device__ __forceinline__ T lanes_sum(T x) {
#pragma unroll
  for (int step = kLanes / 2; step > 0; step /= 2) x += __shfl_xor_sync(kAllLanes, x, step);
  return x;
}
// Of two numbers the greater one, or the one that is not NaN.
__device__ __forceinline__ float greater(float a, float b) { return fmaxf(a, b); }
__device__ __forceinline__ double greater(double a, double b) { return fmax(a, b); }
template <int kLanes = kWarp, class T>
__device__ __forceinline__ T lanes_max(T x) {
#pragma unroll
  for (int step = kLanes / 2; step > 0; step /= 2) {
    x = greater(x, __shfl_xor_sync(kAllLanes, x, step));
  }
  return x;
}

// The sums of kCount numbers over kWarps warps, which all reach it. `slots` is shared memory; a
// second call needs other slots, since warps may still read these.
template <int kWarps, class T, int kCount>
__device__ __forceinline__ void warps_sum(T (&x)[kCount], T (&slots)[kWarps][kCount]) {
#pragma unroll
  for (int i = 0; i < kCount; i++) x[i] = lanes_sum(x[i]);
  if constexpr (kWarps > 1) {
    const int warp = threadIdx.x / kWarp;
    if (threadIdx.x % kWarp == 0) {
#pragma unroll
      for (int i = 0; i < kCount; i++) slots[warp][i] = x[i];
    }
    __syncthreads();
#pragma unroll
    for (int i = 0; i < kCount; i++) {
      x[i] = slots[0][i];
#pragma unroll
      for (int other = 1; other < kWarps; other++) x[i] += slots[other][i];
    }
  }
}

}  // namespace pt::cuda
