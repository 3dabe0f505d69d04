// What one instruction moves between memory and registers: 16 bytes.
#pragma once

#include "device.h"

namespace pt::cuda {

template <class S>
constexpr int kVector = 16 / int(sizeof(S));  // elements

template <class S>
struct alignas(16) Vector {
  S at[kVector<S>];
};

__host__ __device__ inline bool is_aligned(const void* p) {
  return reinterpret_cast<uintptr_t>(p) % 16 == 0;
}
// Whether every row begins at a multiple of 16 bytes; nothing does.
template <class S>
bool rows_are_aligned(const void* data, int64_t stride) {
  return is_aligned(data) && stride % kVector<S> == 0;
}

// kCount elements at a multiple of 16 bytes; kCount a multiple of their vector's.
template <class S, class T, int kCount>
__device__ __forceinline__ void load_vectors(const S* from, T (&to)[kCount]) {
  static_assert(kCount % kVector<S> == 0);
#pragma unroll
  for (int i = 0; i < kCount; i += kVector<S>) {
    const auto vector = *reinterpret_cast<const Vector<S>*>(from + i);
#pragma unroll
    for (int j = 0; j < kVector<S>; j++) to[i + j] = T(widened(vector.at[j]));
  }
}
template <class S, class T, int kCount>
__device__ __forceinline__ void store_vectors(const T (&from)[kCount], S* to) {
  static_assert(kCount % kVector<S> == 0);
#pragma unroll
  for (int i = 0; i < kCount; i += kVector<S>) {
    Vector<S> vector;
#pragma unroll
    for (int j = 0; j < kVector<S>; j++) vector.at[j] = narrowed<S>(Compute<S>(from[i + j]));
    *reinterpret_cast<Vector<S>*>(to + i) = vector;
  }
}

// The first `left` of kCount elements, zeros for the others; `aligned` where the whole begins at a
// multiple of 16 bytes.
template <class S, class T, int kCount>
__device__ __forceinline__ void load_up_to(const S* from, int64_t left, bool aligned,
                                           T (&to)[kCount]) {
  if constexpr (kCount % kVector<S> == 0) {
    if (aligned && left >= kCount) return load_vectors(from, to);
  }
#pragma unroll
  for (int i = 0; i < kCount; i++) to[i] = i < left ? T(widened(from[i])) : T(0);
}
template <class S, class T, int kCount>
__device__ __forceinline__ void store_up_to(const T (&from)[kCount], S* to, int64_t left,
                                            bool aligned) {
  if constexpr (kCount % kVector<S> == 0) {
    if (aligned && left >= kCount) return store_vectors(from, to);
  }
#pragma unroll
  for (int i = 0; i < kCount; i++) {
    if (i < left) to[i] = narrowed<S>(Compute<S>(from[i]));
  }
}

// body(S{}) for the type of elements that meet arithmetic in T.
template <class T, class Body>
__device__ __forceinline__ void with_elements(Type type, const Body& body) {
  switch (type) {
    case Type::bfloat16:
      return body(bfloat16{});
    case Type::float16:
      return body(float16{});
    case Type::float64:
      if constexpr (sizeof(T) == 8) return body(double{});
      return;
    default:
      return body(float{});
  }
}
// load_up_to and store_up_to, from element `at` on of what `type` names.
template <class T, int kCount>
__device__ __forceinline__ void load_typed(const void* data, Type type, int64_t at, int64_t left,
                                           bool aligned, T (&to)[kCount]) {
  with_elements<T>(type, [&](auto stored) {
    load_up_to(static_cast<const decltype(stored)*>(data) + at, left, aligned, to);
  });
}
template <class T, int kCount>
__device__ __forceinline__ void store_typed(const T (&from)[kCount], void* data, Type type,
                                            int64_t at, int64_t left, bool aligned) {
  with_elements<T>(type, [&](auto stored) {
    store_up_to(from, static_cast<decltype(stored)*>(data) + at, left, aligned);
  });
}

// Parameters have the rows' type S or, beside 16-bit rows, float32.
template <class S>
__device__ __forceinline__ bool are_wide(const Parameters& parameters) {
  return sizeof(S) == 2 && parameters.type == Type::float32;
}
template <class S, class T, int kCount>
__device__ __forceinline__ void load_parameters(const Parameters& from, int64_t j,
                                                T (&to)[kCount]) {
  if (are_wide<S>(from)) {
    if constexpr (sizeof(S) == 2) load_vectors(static_cast<const float*>(from.data) + j, to);
  } else {
    load_vectors(static_cast<const S*>(from.data) + j, to);
  }
}
template <class S>
__device__ __forceinline__ Compute<S> parameter(const Parameters& from, int64_t j) {
  if (are_wide<S>(from)) return Compute<S>(static_cast<const float*>(from.data)[j]);
  return widened(static_cast<const S*>(from.data)[j]);
}
// `data` as the parameters that `like` names.
template <class S>
__device__ __forceinline__ void store_parameter(Compute<S> x, void* data, const Parameters& like,
                                                int64_t j) {
  if (are_wide<S>(like)) {
    static_cast<float*>(data)[j] = float(x);
  } else {
    static_cast<S*>(data)[j] = narrowed<S>(x);
  }
}

}  // namespace pt::cuda
