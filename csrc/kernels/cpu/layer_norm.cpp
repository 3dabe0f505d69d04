// Layer norm, forward and backward, with the residual addition and dropout before it fused in.
//
// Parallel over rows, which go through kRows at a time, so that the long dependencies of one (sums
// over lanes, the root) hide behind the others. Forward reads them into a buffer once, where they
// stay in the first-level cache for their passes: mean, centred variance, result. Backward sums the
// gains' gradients over chunks of kRowChunk rows, each chunk into its own partial row, and adds the
// partial rows in order.
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
constexpr int kRows = 4;

template <class S>
PT_INLINE const S* row_of(const void* p, int64_t row, int64_t stride) {
  return static_cast<const S*>(p) + row * stride;
}

// A parameter in the arithmetic's type, zero up to whole vectors.
template <class T>
T* padded(Scratch& scratch, const Parameters& from, int64_t n) {
  using V = Vector<T>;
  T* values = scratch.take<T>(round_up(n, V::size));
  for (int64_t j = 0; j < n; j += V::size) {
    load_typed<V>(from.data, from.type, j, n - j).store(values + j);
  }
  return values;
}

template <int kValue>
struct Count {
  static constexpr int value = kValue;
};

// body(first row, how many as a type) over rows first .. last.
template <class Body>
PT_INLINE void by_rows(int64_t first, int64_t last, const Body& body) {
  int64_t row = first;
  for (; row + kRows <= last; row += kRows) body(row, Count<kRows>());
  for (; row < last; row++) body(row, Count<1>());
}

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
      for (int64_t j = 0; j < 2 * width_; j += V::size) V::zero().store(weight_sum + j);
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
