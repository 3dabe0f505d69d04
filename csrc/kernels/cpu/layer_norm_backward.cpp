// Layer norm backward, with the way back through dropout and the residual addition.
//
// Parallel over rows. The gains' gradients are sums over chunks of kRowChunk rows, each chunk into
// its own partial row, and the partial rows are added in order.
#include "layer_norm_rows.h"
#include "parallel.h"

PT_ISA_BEGIN

void layer_norm_backward(const LayerNormBackwardArgs& args);

namespace {

constexpr int64_t kRowChunk = 64;

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
    const T* weight = padded<T>(scratch, args_.weight, args_.columns);
    parallel_for(chunks, [&](int64_t chunk) {
      T* weight_sum = partial + chunk * 2 * width_;
      T* bias_sum = weight_sum + width_;
      fill(weight_sum, 0, 2 * width_, T(0));
      Scratch own;
      T* keep = own.take<T>(kRows * keep_stride() + kWords);
      by_rows(chunk * kRowChunk, min(args_.rows, (chunk + 1) * kRowChunk),
              [&](int64_t row, auto rows) {
                some_rows<decltype(rows)::value>(row, weight, weight_sum, bias_sum, keep);
              });
    });
    add_chunks(partial, chunks, args_.grad_weight);
    add_chunks(partial + width_, chunks, args_.grad_bias);
  }

 private:
  int64_t keep_stride() const { return dropout_capacity(args_.columns); }

  // With h the normalised row and g' = g * weight:
  // grad = rstd * (g' - mean(g') - h * mean(g' h)).
  template <int kCount>
  PT_INLINE void some_rows(int64_t row, const T* weight, T* weight_sum, T* bias_sum,
                           T* keep) const {
    const int64_t n = args_.columns;
    V mean[kCount], rstd[kCount], total[kCount], product[kCount];
    PT_UNROLL
    for (int r = 0; r < kCount; r++) {
      mean[r] = V::broadcast(static_cast<const T*>(args_.mean)[row + r]);
      rstd[r] = V::broadcast(static_cast<const T*>(args_.rstd)[row + r]);
      total[r] = product[r] = V::zero();
    }
    for (int64_t j = 0; j < n; j += V::size) {
      const V w = V::load(weight + j);
      V of_weight = V::load(weight_sum + j), of_bias = V::load(bias_sum + j);
      PT_UNROLL
      for (int r = 0; r < kCount; r++) {
        const V grad = gradient(row + r, j), normal = (input(row + r, j) - mean[r]) * rstd[r];
        const V scaled = grad * w;
        total[r] = total[r] + scaled;
        product[r] = V::fma(scaled, normal, product[r]);
        of_weight = V::fma(grad, normal, of_weight);
        of_bias = of_bias + grad;
      }
      of_weight.store(weight_sum + j);
      of_bias.store(bias_sum + j);
    }
    V shift[kCount], slope[kCount];
    PT_UNROLL
    for (int r = 0; r < kCount; r++) {
      shift[r] = V::broadcast(total[r].sum() / T(n));
      slope[r] = V::broadcast(product[r].sum() / T(n));
    }
    const bool dropped = args_.dropout.threshold > 0;
    if (dropped) {
      dropout_multipliers(args_.dropout, 0, n, uint32_t(row), kCount, 0, 0, keep, keep_stride());
    }
    PT_UNROLL
    for (int r = 0; r < kCount; r++) {
      for (int64_t j = 0; j < n; j += V::size) {
        const V normal = (input(row + r, j) - mean[r]) * rstd[r];
        V grad =
            rstd[r] * (gradient(row + r, j) * V::load(weight + j) - shift[r] - normal * slope[r]);
        const int64_t left = n - j, at = (row + r) * n + j;
        if (args_.grad_sum_in != nullptr) {
          const S* added = row_of<S>(args_.grad_sum_in, row + r, args_.grad_sum_in_stride);
          grad = grad + load_up_to<V>(added + j, left);
        }
        store_up_to(grad, static_cast<S*>(args_.grad_sum) + at, left);
        if (dropped) {
          const V kept = grad * V::load(keep + r * keep_stride() + j);
          store_up_to(kept, static_cast<S*>(args_.grad_x) + at, left);
        }
      }
    }
  }

  PT_INLINE V gradient(int64_t row, int64_t j) const {
    return load_up_to<V>(row_of<S>(args_.grad_out, row, args_.grad_out_stride) + j,
                         args_.columns - j);
  }
  PT_INLINE V input(int64_t row, int64_t j) const {
    return load_up_to<V>(row_of<S>(args_.sum, row, args_.sum_stride) + j, args_.columns - j);
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

void layer_norm_backward(const LayerNormBackwardArgs& args) {
  with_storage(args.type, [&](auto stored) { Backward<decltype(stored)>(args).run(); });
}

PT_ISA_END
