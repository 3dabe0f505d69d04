// What the kernels of attention's backward on tensor cores share.
#pragma once

#include "attention_tiles.h"

namespace pt::cuda {

// What they are given beside the contract.
struct BackwardExtras {
  const float* delta;  // [heads, rows_q]: grad_out . out
  bool aligned;        // every row begins at a multiple of 16 bytes
  bool plain;          // aligned, no mask, no dropout
};

// Flags of blocks whose results have to be computed again, with care; null where nothing is hidden.
inline uint8_t* flags_of(const AttentionShape& shape, unsigned blocks, Queue& queue) {
  return may_hide(shape.visibility) ? static_cast<uint8_t*>(queue.take(blocks)) : nullptr;
}

// grad_k and grad_v, and grad_q too `with_queries`, which asks that one tile holds all keys of
// every sequence.
constexpr int keys_of_tile(int64_t head_dim) { return head_dim > 128 ? 32 : 64; }
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
  constexpr int kColumns = 8 * kCount;
  const int queries = kKeysAreRows ? kColumns : 16, keys = kKeysAreRows ? 16 : kColumns;
  if (!kPlain && score.factor != 1.0f) {
#pragma unroll
    for (int n = 0; n < kCount; n++) {
#pragma unroll
      for (int i = 0; i < 4; i++) scores[n][i] *= score.factor;
    }
  }
  const bool has_mask = !kPlain && shape.visibility.kind != MaskKind::none;
  if (has_mask || !visible_range.all_seen(first_query, first_query + queries - 1, first_key,
                                          first_key + keys - 1)) {
    hide<!kPlain, kKeysAreRows>(shape.visibility, head, visible_range, score, first_query,
                                first_key, scores);
  }
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

// out[16, 8 kCount] += rows [row, row + 16) of one tile times rows [other, other + 8 kCount) of
// another one, over all their columns.
template <int kCount, class Tile, class OtherTile, class S>
__device__ __forceinline__ void multiply_tiles(Tile& tile, int row, OtherTile& others, int other, S,
                                               float (&out)[kCount][4]) {
  static_assert(Tile::kCols == OtherTile::kCols);
  [[maybe_unused]] constexpr int kUnroll =
      Tile::kCols > 128 ? 4 : Tile::kCols / 16;  // wide heads lack registers
#pragma unroll kUnroll
  for (int d = 0; d < Tile::kCols; d += 16) {
    uint32_t a[4];
    load_a(a, tile, row, d);
#pragma unroll
    for (int n = 0; n < kCount; n += 2) {
      uint32_t b[4];
      load_b(b, others, other + 8 * n, d);
      mma_m16n8k16<S>(out[n], a, b[0], b[1]);
      mma_m16n8k16<S>(out[n + 1], a, b[2], b[3]);
    }
  }
}

// out[16, 8 kWidth] += factors[16, 8 kDepth] times rows [row, row + 8 kDepth) of a tile, columns
// from `col` on.
template <int kDepth, int kWidth, class Tile, class S>
__device__ __forceinline__ void multiply_rows(const float (&factors)[kDepth][4], Tile& tile,
                                              int row, int col, S, float (&out)[kWidth][4]) {
#pragma unroll
  for (int k = 0; k < kDepth; k += 2) {
    uint32_t a[4];
    pack_a<S>(a, factors[k], factors[k + 1]);
#pragma unroll
    for (int n = 0; n < kWidth; n += 2) {
      uint32_t b[4];
      load_b_transposed(b, tile, row + 8 * k, col + 8 * n);
      mma_m16n8k16<S>(out[n], a, b[0], b[1]);
      mma_m16n8k16<S>(out[n + 1], a, b[2], b[3]);
    }
  }
}

template <int kCount>
__device__ __forceinline__ void scale_all(float factor, float (&x)[kCount][4]) {
#pragma unroll
  for (int n = 0; n < kCount; n++) {
#pragma unroll
    for (int i = 0; i < 4; i++) x[n][i] *= factor;
  }
}

// body(S{}, Number<kHeadDim>{}) for the storage type and the narrowest tiles that hold a head.
template <class Body>
Status with_head(const AttentionShape& shape, const Body& body) {
  const auto with_type = [&](auto stored) {
    if (shape.head_dim <= 32) return body(stored, Number<32>{});
    if (shape.head_dim <= 64) return body(stored, Number<64>{});
    if (shape.head_dim <= 128) return body(stored, Number<128>{});
    return body(stored, Number<256>{});
  };
  return shape.type == Type::bfloat16 ? with_type(bfloat16{}) : with_type(float16{});
}

}  // namespace pt::cuda
