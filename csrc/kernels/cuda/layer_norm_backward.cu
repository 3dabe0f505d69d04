// Layer norm backward, with the way back through dropout and the residual addition.
//
// A block takes a chunk of kRowChunk rows and keeps the gains' gradients over them in registers,
// each thread those of its own columns; its warps' sums are added in order to one partial row for
// each chunk. A second kernel adds the partial rows.
#include "layer_norm_rows.h"
#include "partial_rows.h"

namespace pt::cuda {
namespace {

constexpr int kRowChunk = 32;

// With h the normalised row and g' = g * weight: grad = rstd * (g' - mean(g') - h * mean(g' h)).
template <class Layout>
class RowGradient {
 public:
  using S = typename Layout::S;
  using T = typename Layout::T;
  static constexpr int kSize = Layout::kSize, kVectors = Layout::kVectors;

  __device__ explicit RowGradient(const LayerNormBackwardArgs& args) : args_(args) {
    Layout::for_vectors(args.columns,
                        [&](int i, int64_t j) { load_parameters<S>(args.weight, j, weight_[i]); });
  }

  // `slots` are of this row alone.
  __device__ __forceinline__ void add_row(int64_t row, T (&slots)[Layout::kWarps][2]) {
    const T mean = static_cast<const T*>(args_.mean)[row];
    const T rstd = static_cast<const T*>(args_.rstd)[row];
    T grad[kVectors][kSize], normal[kVectors][kSize];
    Layout::for_vectors(args_.columns, [&](int i, int64_t j) {
      load_vectors(row_of<S>(args_.grad_out, row, args_.grad_out_stride) + j, grad[i]);
      load_vectors(row_of<S>(args_.sum, row, args_.sum_stride) + j, normal[i]);
    });
    T sums[2] = {0, 0};
    Layout::for_vectors(args_.columns, [&](int i, int64_t) {
#pragma unroll
      for (int e = 0; e < kSize; e++) {
        normal[i][e] = (normal[i][e] - mean) * rstd;
        of_weight[i][e] += grad[i][e] * normal[i][e];
        of_bias[i][e] += grad[i][e];
        grad[i][e] *= weight_[i][e];
        sums[0] += grad[i][e];
        sums[1] += grad[i][e] * normal[i][e];
      }
    });
    warps_sum(sums, slots);
    const T shift = sums[0] / T(args_.columns), slope = sums[1] / T(args_.columns);
    Layout::for_vectors(args_.columns, [&](int i, int64_t j) {
#pragma unroll
      for (int e = 0; e < kSize; e++) {
        grad[i][e] = rstd * (grad[i][e] - shift - normal[i][e] * slope);
      }
      store(row, j, grad[i]);
    });
  }

  T of_weight[kVectors][kSize] = {}, of_bias[kVectors][kSize] = {};

 private:
  __device__ __forceinline__ void store(int64_t row, int64_t j, T (&grad)[kSize]) const {
    if (args_.grad_sum_in != nullptr) {
      T added[kSize];
      load_vectors(row_of<S>(args_.grad_sum_in, row, args_.grad_sum_in_stride) + j, added);
#pragma unroll
      for (int e = 0; e < kSize; e++) grad[e] += added[e];
    }
    const int64_t at = row * args_.columns + j;
    store_vectors(grad, static_cast<S*>(args_.grad_sum) + at);
    if (args_.dropout.threshold == 0) return;
    T keep[kSize];
    dropout_multipliers(args_.dropout, j, row, keep);
#pragma unroll
    for (int e = 0; e < kSize; e++) keep[e] *= grad[e];
    store_vectors(keep, static_cast<S*>(args_.grad_x) + at);
  }

  const LayerNormBackwardArgs& args_;
  T weight_[kVectors][kSize];
};

template <class Layout>
struct BackwardShared {
  using T = typename Layout::T;
  T slots[Layout::kRows][2][Layout::kWarps][2];  // of a row and of the next
  // What one warp's rows add to the gains' gradients, where a block has several rows at a time.
  T gains[Layout::kRows][2][Layout::kRows > 1 ? Layout::kColumns : 1];
};

// partial[chunk][0]: of the weight; [1]: of the bias.
template <class Layout>
__global__ void __launch_bounds__(Layout::kBlock* kWarp)
    chunk_gradients(const LayerNormBackwardArgs args, typename Layout::T* partial) {
  using T = typename Layout::T;
  auto& shared = shared_layout<BackwardShared<Layout>>();
  const int group = threadIdx.x / Layout::kThreads;  // of the threads that share a row
  const int64_t first = int64_t(blockIdx.x) * kRowChunk;
  RowGradient<Layout> gradient(args);
  for (int i = group; i < kRowChunk && first + i < args.rows; i += Layout::kRows) {
    gradient.add_row(first + i, shared.slots[group][i / Layout::kRows % 2]);
  }
  T* of_weight = partial + int64_t(blockIdx.x) * 2 * args.columns;
  T* of_bias = of_weight + args.columns;
  if constexpr (Layout::kRows == 1) {
    Layout::for_vectors(args.columns, [&](int i, int64_t j) {
      store_vectors(gradient.of_weight[i], of_weight + j);
      store_vectors(gradient.of_bias[i], of_bias + j);
    });
  } else {
    Layout::for_vectors(args.columns, [&](int i, int64_t j) {
      store_vectors(gradient.of_weight[i], &shared.gains[group][0][j]);
      store_vectors(gradient.of_bias[i], &shared.gains[group][1][j]);
    });
    __syncthreads();
    for (int64_t j = threadIdx.x; j < 2 * args.columns; j += Layout::kBlock * kWarp) {
      const int which = j < args.columns ? 0 : 1;
      T total = 0;
#pragma unroll
      for (int g = 0; g < Layout::kRows; g++)
        total += shared.gains[g][which][j - which * args.columns];
      of_weight[j] = total;
    }
  }
}

// Any rows: the block's threads take a row together, three passes over it. Their columns are the
// same in every row, so that the partial row in memory is each thread's own.
template <class S>
__global__ void __launch_bounds__(kAnyWarps* kWarp)
    any_chunk_gradients(const LayerNormBackwardArgs args, Compute<S>* partial) {
  using T = Compute<S>;
  struct Shared {
    T slots[2][kAnyWarps][2];
  };
  auto& shared = shared_layout<Shared>();
  const int64_t columns = args.columns, first = int64_t(blockIdx.x) * kRowChunk;
  T* of_weight = partial + int64_t(blockIdx.x) * 2 * columns;
  T* of_bias = of_weight + columns;
  for_columns(columns, [&](int64_t j) { of_weight[j] = of_bias[j] = 0; });
  for (int64_t row = first; row < first + kRowChunk && row < args.rows; row++) {
    const T mean = static_cast<const T*>(args.mean)[row];
    const T rstd = static_cast<const T*>(args.rstd)[row];
    const S* grad_out = row_of<S>(args.grad_out, row, args.grad_out_stride);
    const S* sum = row_of<S>(args.sum, row, args.sum_stride);
    T sums[2] = {0, 0};
    for_columns(columns, [&](int64_t j) {
      const T grad = widened(grad_out[j]), normal = (widened(sum[j]) - mean) * rstd;
      of_weight[j] += grad * normal;
      of_bias[j] += grad;
      sums[0] += grad * parameter<S>(args.weight, j);
      sums[1] += grad * parameter<S>(args.weight, j) * normal;
    });
    warps_sum(sums, shared.slots[row % 2]);
    const T shift = sums[0] / T(columns), slope = sums[1] / T(columns);
    for_columns(columns, [&](int64_t j) {
      const T normal = (widened(sum[j]) - mean) * rstd;
      T grad =
          rstd * (widened(grad_out[j]) * parameter<S>(args.weight, j) - shift - normal * slope);
      if (args.grad_sum_in != nullptr) {
        grad += widened(row_of<S>(args.grad_sum_in, row, args.grad_sum_in_stride)[j]);
      }
      static_cast<S*>(args.grad_sum)[row * columns + j] = narrowed<S>(grad);
      if (args.dropout.threshold > 0) {
        static_cast<S*>(args.grad_x)[row * columns + j] =
            narrowed<S>(grad * dropout_multiplier<T>(args.dropout, j, row));
      }
    });
  }
}

template <class S>
struct GainGradients {
  void *of_weight, *of_bias;  // null: not wanted
  Parameters like;
  int64_t columns;
  __device__ __forceinline__ void store(int64_t j, Compute<S> total) const {
    const bool is_weight = j < columns;
    void* out = is_weight ? of_weight : of_bias;
    if (out != nullptr) store_parameter<S>(total, out, like, is_weight ? j : j - columns);
  }
};

template <class S>
bool in_vectors(const LayerNormBackwardArgs& args) {
  return args.columns % kVector<S> == 0 &&
         rows_are_aligned<S>(args.grad_out, args.grad_out_stride) &&
         rows_are_aligned<S>(args.grad_sum_in, args.grad_sum_in_stride) &&
         rows_are_aligned<S>(args.sum, args.sum_stride) && is_aligned(args.weight.data) &&
         is_aligned(args.grad_sum) && is_aligned(args.grad_x);
}

template <class S>
Status backward(const LayerNormBackwardArgs& args, Queue& queue) {
  using T = Compute<S>;
  constexpr const char* name = "layer_norm_backward";
  const int64_t chunks = pieces_of(args.rows, kRowChunk);
  T* partial = static_cast<T*>(queue.take(size_t(chunks * 2 * args.columns) * sizeof(T)));
  if (chunks > 0) {
    Status status;
    const auto run = [&](auto layout) {
      using Layout = decltype(layout);
      status = launch(name, chunk_gradients<Layout>, unsigned(chunks), Layout::kBlock * kWarp,
                      sizeof(BackwardShared<Layout>), queue, args, partial);
    };
    if (!in_vectors<S>(args) || !with_layout<S>(args.columns, run)) {
      status = launch(name, any_chunk_gradients<S>, unsigned(chunks), kAnyWarps * kWarp,
                      4 * kAnyWarps * sizeof(T), queue, args, partial);
    }
    if (status.failed()) return status;
  }
  const GainGradients<S> output{args.grad_weight, args.grad_bias, args.weight, args.columns};
  return launch_add_partial_rows(name, partial, chunks, 2 * args.columns, output, queue);
}

}  // namespace

Status layer_norm_backward(const LayerNormBackwardArgs& args, Queue& queue) {
  if (args.columns == 0) return {};
  return with_storage(args.type,
                      [&](auto stored) { return backward<decltype(stored)>(args, queue); });
}

}  // namespace pt::cuda
