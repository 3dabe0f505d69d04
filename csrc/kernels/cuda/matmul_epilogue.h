// What becomes of the finished sums of a matrix product: bias, activation, dropout, or the way back
// through both, and the rounding to the type of the result.
//
// Types and activations are chosen as the kernel runs, the same way by every thread: a copy of each
// kernel for each of them would be dozens, and the choice costs nothing beside the product.
#pragma once

#include "../matmul.h"
#include "activation.h"
#include "philox.h"
#include "vectors.h"

namespace pt::cuda {

// body(S{}) for the type of elements that meet arithmetic in T.
template <class T, class Body>
__device__ __forceinline__ void with_elements(Type type, const Body& body) {
  if constexpr (sizeof(T) == 8) {
    body(double{});
  } else if (type == Type::bfloat16) {
    body(bfloat16{});
  } else if (type == Type::float16) {
    body(float16{});
  } else {
    body(float{});
  }
}

// Some neighbours of an array: elements [at, at + count), in vectors where these are allowed.
struct Span {
  int64_t at;
  int count;
  bool in_vectors;
};

// x[i] = data[span.at + i], zeros beyond the span.
template <class T, int kCount>
__device__ __forceinline__ void load_elements(const void* data, Type type, const Span& span,
                                              T (&x)[kCount]) {
  with_elements<T>(type, [&](auto stored) {
    using S = decltype(stored);
    const S* from = static_cast<const S*>(data) + span.at;
    if constexpr (kCount % kVector<S> == 0) {
      if (span.in_vectors) return load_vectors(from, x);
    }
#pragma unroll
    for (int i = 0; i < kCount; i++) x[i] = i < span.count ? T(widened(from[i])) : T(0);
  });
}
template <class T, int kCount>
__device__ __forceinline__ void store_elements(const T (&x)[kCount], void* data, Type type,
                                               const Span& span) {
  with_elements<T>(type, [&](auto stored) {
    using S = decltype(stored);
    S* to = static_cast<S*>(data) + span.at;
    if constexpr (kCount % kVector<S> == 0) {
      if (span.in_vectors) return store_vectors(x, to);
    }
#pragma unroll
    for (int i = 0; i < kCount; i++) {
      if (i < span.count) to[i] = narrowed<S>(x[i]);
    }
  });
}

// Whether all that has the result's layout can be moved in vectors.
inline bool results_are_aligned(const MatmulArgs& args) {
  const int64_t vector = 16 / (args.out_type == Type::float64   ? 8
                               : args.out_type == Type::float32 ? 4
                                                                : 2);
  return args.out_stride % vector == 0 && is_aligned(args.out) &&
         is_aligned(args.epilogue.preactivation) && is_aligned(args.epilogue.saved);
}

// Finishes columns [col, col + kCount) of any row; col is a multiple of kCount.
template <class T, int kCount>
class Finish {
 public:
  __device__ __forceinline__ Finish(const MatmulArgs& args, bool aligned, int64_t col)
      : args_(args), col_(col), count_(int(min(int64_t(kCount), args.n - col))),
        in_vectors_(aligned && count_ == kCount) {
    const Parameters& bias = args.epilogue.bias;
    if (bias.data != nullptr) load_elements(bias.data, bias.type, {col, count_, false}, bias_);
  }

  __device__ __forceinline__ void operator()(int64_t row, T (&x)[kCount]) const {
    if (count_ <= 0) return;
    const Epilogue& epilogue = args_.epilogue;
    const Span span{row * args_.out_stride + col_, count_, in_vectors_};
    if (args_.accumulate) {
      T before[kCount];
      load_elements(args_.out, args_.out_type, span, before);
      add(before, x);
    }
    if (epilogue.saved != nullptr) {
      T saved[kCount];
      load_elements(epilogue.saved, args_.out_type, span, saved);
      multiply_by_slope(epilogue.activation, saved, x);
    } else {
      if (epilogue.bias.data != nullptr) add(bias_, x);
      if (epilogue.preactivation != nullptr) {
        store_elements(x, epilogue.preactivation, args_.out_type, span);
      }
      activate(epilogue.activation, x);
    }
    if (epilogue.dropout.threshold > 0) drop(row, x);
    store_elements(x, args_.out, args_.out_type, span);
  }

 private:
  static __device__ __forceinline__ void add(const T (&term)[kCount], T (&x)[kCount]) {
#pragma unroll
    for (int i = 0; i < kCount; i++) x[i] += term[i];
  }
  __device__ __forceinline__ void drop(int64_t row, T (&x)[kCount]) const {
    const Epilogue& epilogue = args_.epilogue;
    T keep[kCount];
    if (epilogue.saved != nullptr && epilogue.activation == Activation::relu) {
      // What relu left above zero was neither cut nor dropped: nothing has to be drawn again.
#pragma unroll
      for (int i = 0; i < kCount; i++) keep[i] = T(epilogue.dropout.scale);
    } else {
      dropout_multipliers(epilogue.dropout, col_, row, keep);
    }
#pragma unroll
    for (int i = 0; i < kCount; i++) x[i] *= keep[i];
  }

  const MatmulArgs& args_;
  const int64_t col_;
  const int count_;
  const bool in_vectors_;
  T bias_[kCount];
};

}  // namespace pt::cuda
