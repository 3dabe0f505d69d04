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
      : args_(args), col_(col), count_(int(min(int64_t(kCount), args.n - col))), aligned_(aligned) {
    const Parameters& bias = args.epilogue.bias;
    if (bias.data != nullptr) load_typed(bias.data, bias.type, col, count_, false, bias_);
  }

  __device__ __forceinline__ void operator()(int64_t row, T (&x)[kCount]) const {
    if (count_ <= 0) return;
    const Epilogue& epilogue = args_.epilogue;
    const int64_t at = row * args_.out_stride + col_;
    if (args_.accumulate) {
      T before[kCount];
      load_typed(args_.out, args_.out_type, at, count_, aligned_, before);
      add(before, x);
    }
    if (epilogue.saved != nullptr) {
      T saved[kCount];
      load_typed(epilogue.saved, args_.out_type, at, count_, aligned_, saved);
      multiply_by_slope(epilogue.activation, saved, x);
    } else {
      if (epilogue.bias.data != nullptr) add(bias_, x);
      if (epilogue.preactivation != nullptr) {
        store_typed(x, epilogue.preactivation, args_.out_type, at, count_, aligned_);
      }
      activate(epilogue.activation, x);
    }
    if (epilogue.dropout.threshold > 0) drop(row, x);
    store_typed(x, args_.out, args_.out_type, at, count_, aligned_);
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
  const bool aligned_;
  T bias_[kCount];
};

}  // namespace pt::cuda
