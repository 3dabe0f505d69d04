// Layer norm, forward and backward, with the residual addition and dropout before it fused in.
//
// Parallel over rows. A row is read into a buffer once and stays in the first-level cache for its
// three passes: mean, centred variance, result. Backward sums the gains' gradients over chunks of
// kRowChunk rows, each chunk into its own partial row, and adds the partial rows in order.
#include "../layer_norm.h"

#include "arithmetic.h"
#include "parallel.h"
#include "philox.h"
#include "scratch.h"

PT_ISA_BEGIN

void layer_norm_forward(const LayerNormForwardArgs& args);
void layer_norm_backward(const LayerNormBackwardArgs& args);

namespace {

constexpr int64_t kRowChunk = 64;

template <class S>
PT_INLINE const S* row_of(const void* p, int64_t row, int64_t stride) {
  return static_cast<const S*>(p) + row * stride;
}

template <class S>
class Forward {
 public:
  using T = Compute<S>;
  using V = Vector<T>;
  explicit Forward(const LayerNormForwardArgs& args) : args_(args) {}

  void run() const {
    parallel_ranges(args_.rows, 8, [&](int64_t first, int64_t last) {
      Scratch scratch;
      T* values = scratch.take<T>(args_.columns + V::size);
      T* keep = scratch.take<T>(dropout_capacity(args_.columns) + V::size);
      for (int64_t row = first; row < last; row++) {
        gather(row, values, keep);
        normalise(row, values);
      }
    });
  }

 private:
  void gather(int64_t row, T* values, T* keep) const {
    const int64_t n = args_.columns;
    const S* x = row_of<S>(args_.x, row, args_.x_stride);
    if (args_.residual == nullptr) {
      for (int64_t j = 0; j < n; j += V::size) load_up_to<V>(x + j, n - j).store(values + j);
      return;
    }
    const bool dropped = args_.dropout.threshold > 0;
    if (dropped) dropout_multipliers(args_.dropout, 0, n, uint32_t(row), 0, 0, keep);
    const S* residual = row_of<S>(args_.residual, row, args_.residual_stride);
    S* sum = static_cast<S*>(args_.sum) + row * n;
    for (int64_t j = 0; j < n; j += V::size) {
      V value = load_up_to<V>(x + j, n - j);
      if (dropped) value = value * V::load(keep + j);
      store_up_to(value + load_up_to<V>(residual + j, n - j), sum + j, n - j);
      // What is normalised is the sum as it is stored, so that backward sees the same numbers.
      load_up_to<V>(sum + j, n - j).store(values + j);
    }
  }

  void normalise(int64_t row, const T* values) const {
    const int64_t n = args_.columns;
    V total = V::zero();
    for (int64_t j = 0; j < n; j += V::size) total = total + V::load(values + j);
    const T mean = total.sum() / T(n);
    const V centre = V::broadcast(mean);
    V spread = V::zero();
    int64_t j = 0;
    for (; j + V::size <= n; j += V::size) {
      const V d = V::load(values + j) - centre;
      spread = V::fma(d, d, spread);
    }
    if (j < n) {
      T tail[V::size] = {};
      for (int64_t i = j; i < n; i++) tail[i - j] = values[i] - mean;
      const V d = V::load(tail);
      spread = V::fma(d, d, spread);
    }
    const T rstd = T(1) / square_root(spread.sum() / T(n) + T(args_.eps));
    static_cast<T*>(args_.mean)[row] = mean;
    static_cast<T*>(args_.rstd)[row] = rstd;
    S* out = static_cast<S*>(args_.out) + row * n;
    const V factor = V::broadcast(rstd);
    for (j = 0; j < n; j += V::size) {
      const V weight = load_typed<V>(args_.weight.data, args_.weight.type, j, n - j);
      const V bias = load_typed<V>(args_.bias.data, args_.bias.type, j, n - j);
      const V normal = (V::load(values + j) - centre) * factor;
      store_up_to(V::fma(normal, weight, bias), out + j, n - j);
    }
  }

  static PT_INLINE T square_root(T x) {
    if constexpr (sizeof(T) == 8) {
      return __builtin_sqrt(x);
    } else {
      return __builtin_sqrtf(x);
    }
  }

  const LayerNormForwardArgs& args_;
};

template <class S>
class Backward {
 public:
  using T = Compute<S>;
  using V = Vector<T>;
  explicit Backward(const LayerNormBackwardArgs& args)
      : args_(args), width_(round_up(args.columns, V::size)) {}

  void run() const {
    const int64_t chunks = pieces_of(args_.rows, kRowChunk);
    Scratch scratch;
    T* partial = scratch.take<T>(chunks * 2 * width_);
    parallel_for(chunks, [&](int64_t chunk) {
      T* weight_sum = partial + chunk * 2 * width_;
      T* bias_sum = weight_sum + width_;
      for (int64_t j = 0; j < 2 * width_; j += V::size) V::zero().store(weight_sum + j);
      Scratch own;
      T* keep = own.take<T>(dropout_capacity(args_.columns) + V::size);
      const int64_t end = (chunk + 1) * kRowChunk;
      for (int64_t row = chunk * kRowChunk; row < end && row < args_.rows; row++) {
        one_row(row, weight_sum, bias_sum, keep);
      }
    });
    add_chunks(partial, chunks, args_.grad_weight);
    add_chunks(partial + width_, chunks, args_.grad_bias);
  }

 private:
  // With h the normalised row and g' = g * weight:
  // grad = rstd * (g' - mean(g') - h * mean(g' h)).
  PT_INLINE void one_row(int64_t row, T* weight_sum, T* bias_sum, T* keep) const {
    const int64_t n = args_.columns;
    const S* g = row_of<S>(args_.grad_out, row, args_.grad_out_stride);
    const S* x = row_of<S>(args_.sum, row, args_.sum_stride);
    const V mean = V::broadcast(static_cast<const T*>(args_.mean)[row]);
    const V rstd = V::broadcast(static_cast<const T*>(args_.rstd)[row]);
    V total = V::zero(), product = V::zero();
    for (int64_t j = 0; j < n; j += V::size) {
      const int64_t left = n - j;
      const V grad = load_up_to<V>(g + j, left);
      const V normal = (load_up_to<V>(x + j, left) - mean) * rstd;
      const V scaled = grad * load_typed<V>(args_.weight.data, args_.weight.type, j, left);
      total = total + scaled;
      product = V::fma(scaled, normal, product);
      V::fma(grad, normal, V::load(weight_sum + j)).store(weight_sum + j);
      (V::load(bias_sum + j) + grad).store(bias_sum + j);
    }
    const V shift = V::broadcast(total.sum() / T(n)), slope = V::broadcast(product.sum() / T(n));
    const bool dropped = args_.dropout.threshold > 0;
    if (dropped) dropout_multipliers(args_.dropout, 0, n, uint32_t(row), 0, 0, keep);
    for (int64_t j = 0; j < n; j += V::size) {
      const int64_t left = n - j;
      const V normal = (load_up_to<V>(x + j, left) - mean) * rstd;
      const V scaled =
          load_up_to<V>(g + j, left) * load_typed<V>(args_.weight.data, args_.weight.type, j, left);
      V grad = rstd * (scaled - shift - normal * slope);
      if (args_.grad_sum_in != nullptr) {
        grad = grad +
               load_up_to<V>(row_of<S>(args_.grad_sum_in, row, args_.grad_sum_in_stride) + j, left);
      }
      store_up_to(grad, static_cast<S*>(args_.grad_sum) + row * n + j, left);
      if (dropped) {
        store_up_to(grad * V::load(keep + j), static_cast<S*>(args_.grad_x) + row * n + j, left);
      }
    }
  }

  void add_chunks(const T* partial, int64_t chunks, void* out) const {
    if (out == nullptr) return;
    for (int64_t j = 0; j < args_.columns; j += V::size) {
      V total = V::zero();
      for (int64_t chunk = 0; chunk < chunks; chunk++) {
        total = total + V::load(partial + chunk * 2 * width_ + j);
      }
      store_typed(total, out, args_.weight.type, j, args_.columns - j);
    }
  }

  const LayerNormBackwardArgs& args_;
  const int64_t width_;
};

}  // namespace

void layer_norm_forward(const LayerNormForwardArgs& args) {
  switch (args.type) {
    case Type::float32:
      return Forward<float>(args).run();
    case Type::bfloat16:
      return Forward<bfloat16>(args).run();
    case Type::float64:
      return Forward<double>(args).run();
  }
}

void layer_norm_backward(const LayerNormBackwardArgs& args) {
  switch (args.type) {
    case Type::float32:
      return Backward<float>(args).run();
    case Type::bfloat16:
      return Backward<bfloat16>(args).run();
    case Type::float64:
      return Backward<double>(args).run();
  }
}

PT_ISA_END
