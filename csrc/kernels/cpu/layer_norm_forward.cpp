// Layer norm forward, with the residual addition and dropout before it fused in.
//
// Parallel over rows. They are read into a buffer once, where they stay in the first-level cache
// for their passes: mean, centred variance, result.
#include "layer_norm_rows.h"
#include "parallel.h"

PT_ISA_BEGIN

void layer_norm_forward(const LayerNormForwardArgs& args);

namespace {

template <class S>
class Forward {
 public:
  using T = Compute<S>;
  using V = Vector<T>;
  explicit Forward(const LayerNormForwardArgs& args)
      : args_(args), stride_(round_up(args.columns, V::size) + 16) {}

  void run() const {
    Scratch scratch;
    const T* weight = padded<T>(scratch, args_.weight, args_.columns);
    const T* bias = padded<T>(scratch, args_.bias, args_.columns);
    parallel_ranges(args_.rows, 8, [&](int64_t first, int64_t last) {
      Scratch own;
      T* values = own.take<T>(kRows * stride_);
      T* keep = own.take<T>(kRows * keep_stride() + kWords);
      by_rows(first, last, [&](int64_t row, auto rows) {
        constexpr int kCount = decltype(rows)::value;
        V total[kCount];
        gather<kCount>(row, values, keep, total);
        normalise<kCount>(row, values, total, weight, bias);
      });
    });
  }

 private:
  int64_t keep_stride() const { return dropout_capacity(args_.columns); }

  // What is to be normalised, row by row into values, zero beyond the columns; and its sum.
  template <int kCount>
  PT_INLINE void gather(int64_t row, T* values, T* keep, V (&total)[kCount]) const {
    const int64_t n = args_.columns;
    const bool dropped = args_.dropout.threshold > 0;
    if (dropped) {
      dropout_multipliers(args_.dropout, 0, n, uint32_t(row), kCount, 0, 0, keep, keep_stride());
    }
    for (int r = 0; r < kCount; r++) {
      total[r] = gather_row(row + r, values + r * stride_, keep + r * keep_stride());
    }
  }

  // One at a time: rows of a power of two would make loads wait for stores to other rows.
  PT_INLINE V gather_row(int64_t row, T* values, const T* keep) const {
    const int64_t n = args_.columns;
    const bool dropped = args_.dropout.threshold > 0;
    const S* x = row_of<S>(args_.x, row, args_.x_stride);
    const S* residual = row_of<S>(args_.residual, row, args_.residual_stride);
    S* sum = static_cast<S*>(args_.sum) + row * n;
    V total = V::zero();
    for (int64_t j = 0; j < n; j += V::size) {
      V value = load_up_to<V>(x + j, n - j);
      if (args_.residual != nullptr) {
        if (dropped) value = value * V::load(keep + j);
        store_up_to(value + load_up_to<V>(residual + j, n - j), sum + j, n - j);
        // What is normalised is the sum as it is stored, so that backward sees the same numbers.
        value = load_up_to<V>(sum + j, n - j);
      }
      value.store(values + j);
      total = total + value;
    }
    return total;
  }

  template <int kCount>
  PT_INLINE void normalise(int64_t row, const T* values, const V (&total)[kCount], const T* weight,
                           const T* bias) const {
    const int64_t n = args_.columns, whole = n / V::size * V::size;
    T mean[kCount];
    V centre[kCount], spread[kCount], factor[kCount];
    PT_UNROLL
    for (int r = 0; r < kCount; r++) {
      mean[r] = total[r].sum() / T(n);
      centre[r] = V::broadcast(mean[r]);
      spread[r] = V::zero();
    }
    for (int64_t j = 0; j < n; j += V::size) {
      PT_UNROLL
      for (int r = 0; r < kCount; r++) {
        V d = V::load(values + r * stride_ + j) - centre[r];
        if (j == whole) d = first_lanes(d, n - whole);
        spread[r] = V::fma(d, d, spread[r]);
      }
    }
    PT_UNROLL
    for (int r = 0; r < kCount; r++) {
      const T rstd = T(1) / square_root(spread[r].sum() / T(n) + T(args_.eps));
      static_cast<T*>(args_.mean)[row + r] = mean[r];
      static_cast<T*>(args_.rstd)[row + r] = rstd;
      factor[r] = V::broadcast(rstd);
    }
    for (int r = 0; r < kCount; r++) {
      S* out = static_cast<S*>(args_.out) + (row + r) * n;
      for (int64_t j = 0; j < n; j += V::size) {
        const V normal = (V::load(values + r * stride_ + j) - centre[r]) * factor[r];
        store_up_to(V::fma(normal, V::load(weight + j), V::load(bias + j)), out + j, n - j);
      }
    }
  }

  // The others are 0.
  static PT_INLINE V first_lanes(V x, int64_t count) {
    T lanes[V::size];
    x.store(lanes);
    return V::load(lanes, int(count));
  }

  static PT_INLINE T square_root(T x) {
    if constexpr (sizeof(T) == 8) {
      return __builtin_sqrt(x);
    } else {
      return __builtin_sqrtf(x);
    }
  }

  const LayerNormForwardArgs& args_;
  const int64_t stride_;
};

}  // namespace

void layer_norm_forward(const LayerNormForwardArgs& args) {
  with_storage(args.type, [&](auto stored) { Forward<decltype(stored)>(args).run(); });
}

PT_ISA_END
