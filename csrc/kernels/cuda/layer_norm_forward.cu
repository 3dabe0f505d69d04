// Layer norm forward, alone or after a residual addition with dropout.
//
// A row is read once and stays in registers, so that the variance can be taken around the mean
// without another pass over memory; the sum of x and the residual is rounded as it is stored before
// it is normalised. Memory bandwidth is the limit: a warp has all loads of its row under way before
// it needs the first.
#include "functions.h"
#include "layer_norm_rows.h"

namespace pt::cuda {
namespace {

// The row to be normalised; writes the sum where there is a residual.
template <class Layout, class T, int kVectors, int kSize>
__device__ __forceinline__ void read_row(const LayerNormForwardArgs& args, int64_t row,
                                         T (&x)[kVectors][kSize]) {
  using S = typename Layout::S;
  T residual[kVectors][kSize];
  Layout::for_vectors(args.columns, [&](int i, int64_t j) {
    load_vectors(row_of<S>(args.x, row, args.x_stride) + j, x[i]);
    if (args.residual != nullptr) {
      load_vectors(row_of<S>(args.residual, row, args.residual_stride) + j, residual[i]);
    }
  });
  if (args.residual == nullptr) return;
  Layout::for_vectors(args.columns, [&](int i, int64_t j) {
    T keep[kSize];
    if (args.dropout.threshold > 0) dropout_multipliers(args.dropout, j, row, keep);
#pragma unroll
    for (int e = 0; e < kSize; e++) {
      const T term = args.dropout.threshold > 0 ? x[i][e] * keep[e] : x[i][e];
      x[i][e] = widened(narrowed<S>(residual[i][e] + term));
    }
    store_vectors(x[i], static_cast<S*>(args.sum) + row * args.columns + j);
  });
}

template <class Layout>
__global__ void __launch_bounds__(Layout::kBlock* kWarp)
    normalise_rows(const LayerNormForwardArgs args) {
  using S = typename Layout::S;
  using T = typename Layout::T;
  constexpr int kSize = Layout::kSize;
  struct Slots {
    T total[Layout::kWarps][1], squares[Layout::kWarps][1];
  };
  auto& slots = shared_layout<Slots>();
  const int64_t row = int64_t(blockIdx.x) * Layout::kRows + threadIdx.x / Layout::kThreads;
  if (row >= args.rows) return;  // whole warps, and only where no barrier follows

  T x[Layout::kVectors][kSize];
  read_row<Layout>(args, row, x);
  T total[1] = {0};
  Layout::for_vectors(args.columns, [&](int i, int64_t) {
#pragma unroll
    for (int e = 0; e < kSize; e++) total[0] += x[i][e];
  });
  warps_sum(total, slots.total);
  const T mean = total[0] / T(args.columns);
  T squares[1] = {0};
  Layout::for_vectors(args.columns, [&](int i, int64_t) {
#pragma unroll
    for (int e = 0; e < kSize; e++) squares[0] += (x[i][e] - mean) * (x[i][e] - mean);
  });
  warps_sum(squares, slots.squares);
  const T rstd = reciprocal_root(squares[0] / T(args.columns) + T(args.eps));

  Layout::for_vectors(args.columns, [&](int i, int64_t j) {
    T weight[kSize], bias[kSize], out[kSize];
    load_parameters<S>(args.weight, j, weight);
    load_parameters<S>(args.bias, j, bias);
#pragma unroll
    for (int e = 0; e < kSize; e++) out[e] = (x[i][e] - mean) * rstd * weight[e] + bias[e];
    store_vectors(out, static_cast<S*>(args.out) + row * args.columns + j);
  });
  if (threadIdx.x % Layout::kThreads == 0) {
    static_cast<T*>(args.mean)[row] = mean;
    static_cast<T*>(args.rstd)[row] = rstd;
  }
}

// Any row: one block for each, three passes over it.
template <class S>
__global__ void __launch_bounds__(kAnyWarps* kWarp)
    normalise_any_rows(const LayerNormForwardArgs args) {
  using T = Compute<S>;
  struct Slots {
    T total[kAnyWarps][1], squares[kAnyWarps][1];
  };
  auto& slots = shared_layout<Slots>();
  const int64_t row = blockIdx.x, columns = args.columns;
  const S* x = row_of<S>(args.x, row, args.x_stride);
  if (args.residual != nullptr) {
    const S* residual = row_of<S>(args.residual, row, args.residual_stride);
    S* sum = static_cast<S*>(args.sum) + row * columns;
    for_columns(columns, [&](int64_t j) {
      T term = widened(x[j]);
      if (args.dropout.threshold > 0) term *= dropout_multiplier<T>(args.dropout, j, row);
      sum[j] = narrowed<S>(widened(residual[j]) + term);
    });
    x = sum;  // each thread reads what it wrote itself
  }
  T total[1] = {0};
  for_columns(columns, [&](int64_t j) { total[0] += widened(x[j]); });
  warps_sum(total, slots.total);
  const T mean = total[0] / T(columns);
  T squares[1] = {0};
  for_columns(columns, [&](int64_t j) {
    const T apart = widened(x[j]) - mean;
    squares[0] += apart * apart;
  });
  warps_sum(squares, slots.squares);
  const T rstd = reciprocal_root(squares[0] / T(columns) + T(args.eps));
  for_columns(columns, [&](int64_t j) {
    const T normal = (widened(x[j]) - mean) * rstd;
    static_cast<S*>(args.out)[row * columns + j] =
        narrowed<S>(normal * parameter<S>(args.weight, j) + parameter<S>(args.bias, j));
  });
  if (threadIdx.x == 0) {
    static_cast<T*>(args.mean)[row] = mean;
    static_cast<T*>(args.rstd)[row] = rstd;
  }
}

template <class S>
bool in_vectors(const LayerNormForwardArgs& args) {
  return args.columns % kVector<S> == 0 && rows_are_aligned<S>(args.x, args.x_stride) &&
         rows_are_aligned<S>(args.residual, args.residual_stride) && is_aligned(args.out) &&
         is_aligned(args.sum) && is_aligned(args.weight.data) && is_aligned(args.bias.data);
}

}  // namespace

Status layer_norm_forward(const LayerNormForwardArgs& args, Queue& queue) {
  if (args.rows == 0) return {};
  constexpr const char* name = "layer_norm_forward";
  return with_storage(args.type, [&](auto stored) {
    using S = decltype(stored);
    using T = Compute<S>;
    Status status;
    const auto run = [&](auto layout) {
      using Layout = decltype(layout);
      const auto blocks = unsigned(pieces_of(args.rows, Layout::kRows));
      status = launch(name, normalise_rows<Layout>, blocks, Layout::kBlock * kWarp,
                      2 * Layout::kWarps * sizeof(T), queue, args);
    };
    if (!in_vectors<S>(args) || !with_layout<S>(args.columns, run)) {
      status = launch(name, normalise_any_rows<S>, unsigned(args.rows), kAnyWarps * kWarp,
                      2 * kAnyWarps * sizeof(T), queue, args);
    }
    return status;
  });
}

}  // namespace pt::cuda
