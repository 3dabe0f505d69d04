// Scaled dot-product attention ("Attention Is All You Need", section 3.2.1) over packed or dense
// sequences, with online softmax (Milakov and Gimelshein 2018; Dao et al. 2022): memory grows
// linearly with length.
#pragma once

#include "types.h"

namespace pt {

// Rows of one operand: element (sequence b, row i, head h, column d) lies at
// data + b * batch_stride + (start(b) + i) * row_stride + h * head_stride + d, where start(b) is
// cu_seqlens[b] for packed sequences and 0 for dense ones.
struct HeadRows {
  void* data;
  int64_t batch_stride, row_stride, head_stride;
};

enum class MaskKind : uint8_t { none, boolean, additive };

// Which keys a query sees. Query i of a sequence lies on the diagonal of key
// c = i + keys - queries; it sees key j when j <= c if causal, c - left <= j <= c + right for
// each bound that is not negative, and the mask shows it: boolean true, or additive above
// -infinity (added to the scaled score, natural logarithm units).
struct Visibility {
  bool causal;
  int64_t window_left, window_right;  // negative: unbounded
  MaskKind kind;
  const void* mask;  // uint8, or the arithmetic's type (float32; float64 for float64 rows)
  int64_t mask_batch, mask_head, mask_query, mask_key;  // strides, 0 where broadcast
};

// Who calls the CPU has checked cu_seqlens. On other devices what they say is cut to rows that
// exist and to length_q and length_k: results for such sequences mean nothing, but nothing outside
// the operands is read or written.
struct AttentionShape {
  Type type;
  int64_t batch, heads, head_dim;
  const int32_t* cu_seqlens_q;  // [batch + 1], or null: dense
  const int32_t* cu_seqlens_k;
  int64_t length_q, length_k;  // of every sequence when dense, of the longest when packed
  int64_t rows_q, rows_k;      // of q and k in all
  double scale;
  Visibility visibility;
  Dropout dropout;  // counter (key / 4, query in its sequence, sequence * heads + head, 1)
};

// out = softmax(q k^T scale) v; a query that sees nothing gives 0. What a hidden key or value
// holds, NaN and infinity included, reaches nothing.
// statistics[0, head, row]: the largest of the query's scores q k^T (with what a mask adds, divided
// by the scale), -infinity when it sees nothing; of the scaled scores if the scale is not positive
// or so small (1e-20) that nothing can be divided by it. statistics[1, head, row]: 1 / the sum of
// exp(scale (score - largest)), 0 likewise. float32, or float64 for float64 rows. Two numbers, not
// the logarithm of the sum: beside a large score (an additive mask of -1e9 on a whole row) that
// logarithm would be rounded away. Where bfloat16 is multiplied in pairs, weights and the
// derivatives of scores of bfloat16 rows are rounded to it once.
struct AttentionForwardArgs {
  AttentionShape shape;
  HeadRows q, k, v, out;
  void* statistics;  // [2, heads, rows_q]
};

// Gradients are overwritten. A pair that is hidden contributes nothing to any of them.
struct AttentionBackwardArgs {
  AttentionShape shape;
  HeadRows q, k, v, out, grad_out;
  const void* statistics;  // as forward left them
  HeadRows grad_q, grad_k, grad_v;
};

// weights[b, h, i, j]: the softmax itself (after dropout), 0 where hidden and beyond a sequence's
// ends; contiguous [batch, heads, max_q, max_k], of the rows' type.
struct AttentionWeightsForwardArgs {
  AttentionShape shape;
  HeadRows q, k;
  void* weights;
  int64_t max_q, max_k;
};

struct AttentionWeightsBackwardArgs {
  AttentionShape shape;
  HeadRows q, k;
  const void* grad_weights;  // as weights, contiguous
  int64_t max_q, max_k;
  HeadRows grad_q, grad_k;
};

}  // namespace pt
