// What the kernels of attention's backward on tensor cores share.
#pragma once

#include "attention_launch.h"
#include "attention_tiles.h"

namespace pt::cuda {

// What they are given beside the contract.
struct BackwardExtras {
  const float* delta;  // [heads, rows_q]: grad_out . out
  bool aligned;        // every row begins at a multiple of 16 bytes
  bool plain;          // aligned, no mask, no dropout
};

// grad_k and grad_v, and grad_q too `with_queries`, which asks that one tile holds all keys of
// every sequence.
Status attention_key_gradients(const AttentionBackwardArgs& args, const BackwardExtras& extras,
                               bool with_queries, Queue& queue);
Status attention_query_gradients(const AttentionBackwardArgs& args, const BackwardExtras& extras,
                                 Queue& queue);
// Of the heads that have a flag.
Status attention_query_gradients_again(const AttentionBackwardArgs& args,
                                       const BackwardExtras& extras, const uint8_t* again,
                                       Queue& queue);

// What a query's statistics say of its weights: P = 2^((score - shift) exponent) inverse_sum.
struct QueryStatistics {
  float shift, inverse_sum, delta;

  __device__ __forceinline__ QueryStatistics(float of_shift, float of_inverse_sum, float of_delta)
      : shift(of_shift), inverse_sum(of_inverse_sum), delta(of_delta) {}
  __device__ __forceinline__ QueryStatistics(const AttentionBackwardArgs& args, const Head& head,
                                             const float* deltas, int query)
      : shift(0), inverse_sum(0), delta(0) {
    if (query >= head.queries) return;
    const int64_t at = head.first_statistic(args.shape) + query;
    const float largest = static_cast<const float*>(args.statistics)[at];
    shift = Score<float>::is_hidden(largest) ? 0.0f : largest;
    inverse_sum =
        static_cast<const float*>(args.statistics)[args.shape.heads * args.shape.rows_q + at];
    delta = deltas[at];
  }
};

// Products q k become P d, products G v become dS; hidden pairs get zeros in both, whatever their
// products are. statistics(row, column) are those of the accumulators' query there. Returns the
// bits of the visible pairs.
template <bool kPlain, bool kKeysAreRows, int kCount, class Statistics>
__device__ __forceinline__ uint32_t weigh(const AttentionShape& shape, const Head& head,
                                          const VisibleRange& visible_range,
                                          const Score<float>& score, int first_query, int first_key,
                                          const Statistics& statistics, float (&scores)[kCount][4],
                                          float (&slopes)[kCount][4]) {
  become_scores<kPlain, kKeysAreRows>(shape.visibility, head, visible_range, score, first_query,
                                      first_key, scores);
  const uint32_t visible = visible_bits(scores);
#pragma unroll
  for (int n = 0; n < kCount; n++) {
    float keep[4] = {1, 1, 1, 1};
    if (!kPlain && shape.dropout.threshold > 0) {
      const uint32_t stream = dropout_stream(shape, head);
      if (kKeysAreRows) {
        dropout_by_columns(shape.dropout, stream, first_query + 8 * n, first_key, keep);
      } else {
        dropout_by_rows(shape.dropout, stream, first_query, first_key + 8 * n, keep);
      }
    }
#pragma unroll
    for (int i = 0; i < 4; i++) {
      const auto& of = statistics(i / 2, 8 * n + accumulator_column(i));
      // Selected, not multiplied: a row whose statistics are NaN must not reach what it does not
      // see, and what is hidden may hold NaN in dP or delta.
      const bool shown = (visible >> (4 * n + i) & 1) != 0;
      const float p = fast_exp2((scores[n][i] - of.shift) * score.exponent) * of.inverse_sum;
      scores[n][i] = shown ? p * keep[i] : 0.0f;
      slopes[n][i] = shown ? p * (slopes[n][i] * keep[i] - of.delta) : 0.0f;
    }
  }
  return visible;
}

}  // namespace pt::cuda
