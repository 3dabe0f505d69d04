// The words of CUDA C++ that kernels are written in, for a plain C++ compiler: a thread's place in
// its grid, barriers, shuffles and votes. Kernels include it by way of csrc/kernels/cuda/device.h.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "threads.h"

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __grid_constant__
#define __launch_bounds__(...)

#define threadIdx (::pt::on_host::self().index)
#define blockIdx (::pt::on_host::block().index)
#define blockDim (::pt::on_host::block().dim)
#define gridDim (::pt::on_host::block().grid)

// Where in a kernel a call stands, for messages and to tell one barrier from another.
#define PT_SITE_PARAMETERS const char *file = __builtin_FILE(), int line = __builtin_LINE()
#define PT_SITE(what) (::pt::on_host::Site{what, file, line})

using pt::on_host::dim3;

inline void __syncthreads(PT_SITE_PARAMETERS) {
  pt::on_host::block_barrier(PT_SITE("__syncthreads"));
}
// Whether `predicate` holds for any thread of the block.
inline int __syncthreads_or(int predicate, PT_SITE_PARAMETERS) {
  return pt::on_host::block_any(predicate != 0, PT_SITE("__syncthreads_or")) ? 1 : 0;
}
inline void __syncwarp(uint32_t mask = 0xffffffffu, PT_SITE_PARAMETERS) {
  pt::on_host::warp_barrier(mask, PT_SITE("__syncwarp"));
}

template <class T>
T __shfl_sync(uint32_t mask, T value, int source, PT_SITE_PARAMETERS) {
  return pt::on_host::shuffle(mask, value, unsigned(source) % 32, PT_SITE("__shfl_sync"));
}
template <class T>
T __shfl_xor_sync(uint32_t mask, T value, int lanes, PT_SITE_PARAMETERS) {
  const unsigned source = pt::on_host::self().lane ^ unsigned(lanes);
  return pt::on_host::shuffle(mask, value, source, PT_SITE("__shfl_xor_sync"));
}
inline uint32_t __ballot_sync(uint32_t mask, int predicate, PT_SITE_PARAMETERS) {
  return pt::on_host::ballot(mask, predicate != 0, PT_SITE("__ballot_sync"));
}

// Of whole numbers alone: those add up to the same in whatever order threads come.
inline unsigned atomicAdd(unsigned* to, unsigned value) {
  return __atomic_fetch_add(to, value, __ATOMIC_RELAXED);
}

inline uint32_t __float_as_uint(float x) { return std::bit_cast<uint32_t>(x); }
inline float __uint_as_float(uint32_t bits) { return std::bit_cast<float>(bits); }
inline long long __double_as_longlong(double x) { return std::bit_cast<long long>(x); }
inline double __longlong_as_double(long long bits) { return std::bit_cast<double>(bits); }

using std::max;
using std::min;
inline float rsqrtf(float x) { return 1.0f / std::sqrt(x); }
inline double rsqrt(double x) { return 1.0 / std::sqrt(x); }
