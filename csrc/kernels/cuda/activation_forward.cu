// The activation on its own, with dropout: each thread takes one vector, which never spans two
// rows. Nothing is shared; memory bandwidth is the limit.
#include "activation.h"
#include "philox.h"
#include "vectors.h"

namespace pt::cuda {
namespace {

constexpr int kThreads = 256;

// Row by row where dropout needs to know where a row begins, else as one long row.
template <class S>
__global__ void __launch_bounds__(kThreads)
    activate_vectors(const ActivationArgs args, int64_t rows, int64_t columns, bool aligned) {
  using T = Compute<S>;
  constexpr int kSize = kVector<S>;
  const int64_t of_row = pieces_of(columns, kSize);
  const int64_t vector = int64_t(blockIdx.x) * kThreads + threadIdx.x;
  if (vector >= rows * of_row) return;
  const int64_t row = vector / of_row, j = vector % of_row * kSize, at = row * columns + j;
  T x[kSize], keep[kSize];
  load_up_to(static_cast<const S*>(args.x) + at, columns - j, aligned, x);
  activate(args.activation, x);
  if (args.dropout.threshold > 0) {
    dropout_multipliers(args.dropout, j, row, keep);
#pragma unroll
    for (int e = 0; e < kSize; e++) x[e] *= keep[e];
  }
  store_up_to(x, static_cast<S*>(args.out) + at, columns - j, aligned);
}

template <class S>
Status activation(const ActivationArgs& args, Queue& queue) {
  const bool by_rows = args.dropout.threshold > 0;
  const int64_t rows = by_rows ? args.m : 1, columns = by_rows ? args.n : args.m * args.n;
  const int64_t vectors = rows * pieces_of(columns, kVector<S>);
  const bool aligned = rows_are_aligned<S>(args.x, by_rows ? columns : 0) && is_aligned(args.out);
  return launch("activation_forward", activate_vectors<S>, unsigned(pieces_of(vectors, kThreads)),
                kThreads, 0, queue, args, rows, columns, aligned);
}

}  // namespace

Status activation_forward(const ActivationArgs& args, Queue& queue) {
  if (args.m == 0 || args.n == 0) return {};
  return with_storage(args.type,
                      [&](auto stored) { return activation<decltype(stored)>(args, queue); });
}

}  // namespace pt::cuda
