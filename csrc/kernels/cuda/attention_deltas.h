// delta[head, row] = grad_out . out, which both sides of attention's backward need.
#pragma once

#include "attention_scores.h"
#include "lanes.h"

namespace pt::cuda {
namespace {

constexpr int kDeltaLanes = 8, kDeltaBlock = 128;  // lanes of a row of a head; threads

template <class S>
__global__ void __launch_bounds__(kDeltaBlock)
    deltas(const __grid_constant__ AttentionBackwardArgs args, const bool aligned,
           Compute<S>* delta) {
  const AttentionShape& shape = args.shape;
  const int64_t at = (int64_t(blockIdx.x) * kDeltaBlock + threadIdx.x) / kDeltaLanes;
  const int64_t row = at / shape.heads, head = at % shape.heads;
  const bool exists = row < shape.rows_q;
  Compute<S> sum = 0;
  if (exists) {
    const bool dense = shape.cu_seqlens_q == nullptr;
    const int64_t sequence = dense ? row / shape.length_q : 0;
    const int64_t query = dense ? row % shape.length_q : row;
    const auto place = [&](const HeadRows& rows) {
      return static_cast<const S*>(rows.data) + sequence * rows.batch_stride +
             query * rows.row_stride + head * rows.head_stride;
    };
    const S *out = place(args.out), *grad = place(args.grad_out);
    const int lane = threadIdx.x % kDeltaLanes;
    if (aligned) {
      for (int64_t d = lane * kVector<S>; d < shape.head_dim; d += kDeltaLanes * kVector<S>) {
        Compute<S> x[kVector<S>], y[kVector<S>];
        load_vectors(out + d, x);
        load_vectors(grad + d, y);
#pragma unroll
        for (int e = 0; e < kVector<S>; e++) sum += x[e] * y[e];
      }
    } else {
      for (int64_t d = lane; d < shape.head_dim; d += kDeltaLanes) {
        sum += widened(out[d]) * widened(grad[d]);
      }
    }
  }
  sum = lanes_sum<kDeltaLanes>(sum);
  if (exists && threadIdx.x % kDeltaLanes == 0) delta[head * shape.rows_q + row] = sum;
}

// Takes the memory for them; none where there are no queries.
template <class S>
Status attention_deltas(const AttentionBackwardArgs& args, bool aligned, Queue& queue,
                        const Compute<S>*& delta) {
  const int64_t rows = args.shape.rows_q * args.shape.heads;
  delta = nullptr;
  if (rows == 0) return {};
  auto* memory = static_cast<Compute<S>*>(queue.take(size_t(rows) * sizeof(Compute<S>)));
  delta = memory;
  const auto blocks = unsigned(pieces_of(rows * kDeltaLanes, kDeltaBlock));
  return launch("attention_backward", deltas<S>, blocks, kDeltaBlock, 0, queue, args, aligned,
                memory);
}

}  // namespace
}  // namespace pt::cuda
