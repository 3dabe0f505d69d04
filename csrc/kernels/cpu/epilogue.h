// What becomes of the finished sums of a matrix product: bias, activation, dropout, or the way back
// through both, and the rounding to the type of the result.
#pragma once

#include "../matmul.h"
#include "activation.h"
#include "philox.h"
#include "tile.h"

PT_ISA_BEGIN
namespace {

// sums[i * stride + j], i < rows, j < cols, belong at out[row + i, col + j]; col is the start of a
// panel and cols at most its width. bias[n] in the arithmetic's type, readable up to whole panels,
// or null.
template <class T>
using Finish = void (*)(const MatmulArgs& args, const T* bias, const T* sums, int64_t stride,
                        int64_t row, int64_t rows, int64_t col, int64_t cols);

// The work on one element is chosen once for a whole product: S is the type of the result.
template <class T, class S, Activation kActivation, bool kBackward>
class Finisher {
 public:
  using V = Vector<T>;

  static void run(const MatmulArgs& args, const T* bias, const T* sums, int64_t stride, int64_t row,
                  int64_t rows, int64_t col, int64_t cols) {
    const Epilogue& epilogue = args.epilogue;
    const bool dropped = epilogue.dropout.threshold > 0;
    constexpr int64_t keep_stride = round_up(Tile<Single<T>>::kWidth, kWords);
    T keep[kFloatTileRows * keep_stride];
    if (dropped && !kSignTells) {
      dropout_multipliers(epilogue.dropout, col, cols, uint32_t(row), rows, 0, 0, keep,
                          keep_stride);
    }
    for (int64_t i = 0; i < rows; i++) {
      const int64_t at = (row + i) * args.out_stride + col;
      for (int64_t j = 0; j < cols; j += V::size) {
        V x = V::load(sums + i * stride + j);
        if constexpr (kBackward) {
          x = backward(epilogue, x, at + j, cols - j);
        } else {
          x = forward(epilogue, x, bias == nullptr ? nullptr : bias + col + j, at + j, cols - j);
        }
        if (dropped && !kSignTells) x = x * V::load(keep + i * keep_stride + j);
        store_up_to(x, static_cast<S*>(args.out) + at + j, cols - j);
      }
    }
  }

 private:
  // What relu left above zero was neither cut nor dropped: no random number has to be drawn again.
  static constexpr bool kSignTells = kBackward && kActivation == Activation::relu;

  static PT_INLINE V forward(const Epilogue& epilogue, V x, const T* bias, int64_t at,
                             int64_t left) {
    if (bias != nullptr) x = x + V::load(bias);
    if (epilogue.preactivation != nullptr) {
      store_up_to(x, static_cast<S*>(epilogue.preactivation) + at, left);
    }
    return activate(kActivation, x);
  }
  static PT_INLINE V backward(const Epilogue& epilogue, V x, int64_t at, int64_t left) {
    const V saved = load_up_to<V>(static_cast<const S*>(epilogue.saved) + at, left);
    if constexpr (kSignTells) {
      const V kept = x * V::broadcast(T(epilogue.dropout.scale));
      return V::select_less(V::zero(), saved, kept, V::zero());
    }
    return x * activation_derivative(kActivation, saved);
  }
};

template <class T, class S, bool kBackward>
Finish<T> finish_with(Activation activation) {
  switch (activation) {
    case Activation::relu:
      return Finisher<T, S, Activation::relu, kBackward>::run;
    case Activation::gelu:
      return Finisher<T, S, Activation::gelu, kBackward>::run;
    case Activation::silu:
      return Finisher<T, S, Activation::silu, kBackward>::run;
    default:
      return Finisher<T, S, Activation::none, kBackward>::run;
  }
}

template <class T, class S>
Finish<T> finish_as(const Epilogue& epilogue) {
  return epilogue.saved != nullptr ? finish_with<T, S, true>(epilogue.activation)
                                   : finish_with<T, S, false>(epilogue.activation);
}

template <class T>
Finish<T> finish_for(const MatmulArgs& args) {
  if constexpr (sizeof(T) == 8) {
    return finish_as<T, double>(args.epilogue);
  } else {
    return args.out_type == Type::bfloat16 ? finish_as<T, bfloat16>(args.epilogue)
                                           : finish_as<T, float>(args.epilogue);
  }
}

// Whether out has the type of the sums.
template <class T>
bool has_own_type(const MatmulArgs& args) {
  return sizeof(T) == 8 || args.out_type == Type::float32;
}

bool finishes_nothing(const Epilogue& e) {
  return e.bias.data == nullptr && e.activation == Activation::none && e.preactivation == nullptr &&
         e.dropout.threshold == 0 && e.saved == nullptr;
}

}  // namespace
PT_ISA_END
