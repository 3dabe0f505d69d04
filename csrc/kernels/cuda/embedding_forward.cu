// Embedding forward: a warp gathers a row, scales it, adds its position and drops.
#include "embedding_rows.h"

namespace pt::cuda {
namespace {

template <class T>
__global__ void __launch_bounds__(kEmbeddingWarps* kWarp)
    gather_rows(const EmbeddingForwardArgs args, const bool aligned) {
  const int64_t row = row_of_warp();
  if (row >= args.rows) return;
  const int64_t token = args.tokens[row];
  int64_t position = 0;
  if (args.positions != nullptr) {
    position = position_of(args.cu_seqlens, args.length, args.batch, args.rows, row);
  }
  const bool exists = token >= 0 && token < args.vocabulary &&
                      (args.positions == nullptr || position < args.table_rows);
  for_lane_columns(args.columns, [&](int64_t j) {
    T x[kEmbeddingVector], added[kEmbeddingVector] = {}, keep[kEmbeddingVector];
#pragma unroll
    for (int e = 0; e < kEmbeddingVector; e++) x[e] = T(NAN);
    if (exists) {
      load_typed(args.weight, args.weight_type, token * args.columns + j, args.columns - j, aligned,
                 x);
      if (args.positions != nullptr) {
        load_typed(args.positions, args.positions_type, position * args.columns + j,
                   args.columns - j, aligned, added);
      }
    }
    if (args.dropout.threshold > 0) dropout_multipliers(args.dropout, j, row, keep);
#pragma unroll
    for (int e = 0; e < kEmbeddingVector; e++) {
      x[e] = x[e] * T(args.scale) + added[e];
      if (args.dropout.threshold > 0) x[e] *= keep[e];
    }
    store_typed(x, args.out, args.out_type, row * args.columns + j, args.columns - j, aligned);
  });
}

}  // namespace

Status embedding_forward(const EmbeddingForwardArgs& args, Queue& queue) {
  if (args.rows * args.columns == 0) return {};
  const bool aligned = args.columns % kEmbeddingVector == 0 && is_aligned(args.weight) &&
                       is_aligned(args.positions) && is_aligned(args.out);
  const auto start = [&](auto* kernel) {
    return launch("embedding_forward", kernel, embedding_blocks(args.rows), kEmbeddingWarps * kWarp,
                  0, queue, args, aligned);
  };
  return args.out_type == Type::float64 ? start(gather_rows<double>) : start(gather_rows<float>);
}

}  // namespace pt::cuda
