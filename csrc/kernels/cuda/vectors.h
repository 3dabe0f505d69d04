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

inline bool is_aligned(const void* p) { return reinterpret_cast<uintptr_t>(p) % 16 == 0; }
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
    for (int j = 0; j < kVector<S>; j++) vector.at[j] = narrowed<S>(from[i + j]);
    *reinterpret_cast<Vector<S>*>(to + i) = vector;
  }
}

// The first `left` of kCount elements, zeros for the others; `aligned` where the whole begins at a
// multiple of 16 bytes.
template <class S, class T, int kCount>
__device__ __forceinline__ void load_up_to(const S* from, int64_t left, bool aligned,
                                           T (&to)[kCount]) {
  if (aligned && left >= kCount) {
    load_vectors(from, to);
  } else {
#pragma unroll
    for (int i = 0; i < kCount; i++) to[i] = i < left ? T(widened(from[i])) : T(0);
  }
}
template <class S, class T, int kCount>
__device__ __forceinline__ void store_up_to(const T (&from)[kCount], S* to, int64_t left,
                                            bool aligned) {
  if (aligned && left >= kCount) {
    store_vectors(from, to);
  } else {
#pragma unroll
    for (int i = 0; i < kCount; i++) {
      if (i < left) to[i] = narrowed<S>(Compute<S>(from[i]));
    }
  }
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
