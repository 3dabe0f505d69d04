// The language that kernels are written in: CUDA C++ and the instructions of instructions.h, for a
// GPU; or, where PT_CUDA_ON_HOST is defined, the same words with meanings for a CPU, so that tests
// run the very text of a kernel without a GPU (tests/cuda_on_host).
//
// What that asks of a kernel: shared memory is shared_layout<Layout>(), launches go through
// launch(), every thread reaches every barrier, and no two barriers stand on the same line.
#pragma once

#ifdef PT_CUDA_ON_HOST
#include <cuda_on_host/instructions.h>
#include <cuda_on_host/launch.h>
#else
#include "instructions.h"
#include "launch.h"
#endif

namespace pt::cuda {

constexpr int kWarp = 32;  // lanes
constexpr uint32_t kAllLanes = 0xffffffffu;

// An integer as a type, for kernels that are chosen by one.
template <int kValue>
struct Number {
  static constexpr int value = kValue;
};

// Of `size` each, but for the last, that make up `total`.
__host__ __device__ inline int64_t pieces_of(int64_t total, int64_t size) {
  return (total + size - 1) / size;
}

__device__ __forceinline__ float widened(float x) { return x; }
__device__ __forceinline__ float widened(bfloat16 x) { return to_float(x); }
__device__ __forceinline__ float widened(float16 x) { return to_float(x); }
__device__ __forceinline__ double widened(double x) { return x; }

__device__ __forceinline__ void narrow(float x, float& to) { to = x; }
__device__ __forceinline__ void narrow(float x, bfloat16& to) { to = to_bfloat16(x); }
__device__ __forceinline__ void narrow(float x, float16& to) { to = to_float16(x); }
__device__ __forceinline__ void narrow(double x, double& to) { to = x; }
template <class S>
__device__ __forceinline__ S narrowed(Compute<S> x) {
  S to;
  narrow(x, to);
  return to;
}

// body(S{}) for the storage type that `type` names.
template <class Body>
Status with_storage(Type type, const Body& body) {
  switch (type) {
    case Type::bfloat16:
      return body(bfloat16{});
    case Type::float16:
      return body(float16{});
    case Type::float64:
      return body(double{});
    default:
      return body(float{});
  }
}

// body(S{}) for a storage type of 16 bits.
template <class Body>
Status with_half(Type type, const Body& body) {
  return type == Type::bfloat16 ? body(bfloat16{}) : body(float16{});
}

}  // namespace pt::cuda
