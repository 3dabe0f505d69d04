// Attention backward on tensor cores, for rows of 16 bits, without stored weights: they are
// computed again from the statistics of forward. With P the weights, d the dropout multipliers,
// G = grad_out, delta[i] = G[i] . out[i]:
//   grad_v = (P d)^T G,  dP = (G v^T) d,  dS = P (dP - delta),
//   grad_q = scale dS k, grad_k = scale dS^T q.
//
// Nothing is added to memory that others add to, so three kernels: `deltas`; `key_gradients`, whose
// blocks own a tile of keys and walk over the queries; `query_gradients`, whose blocks own queries
// and walk over the keys. The last one computes scores and slopes once more: 7 products instead of
// 5. Where one tile holds all keys of every sequence, as sentences have it, key_gradients writes
// grad_q too and the last one is not needed.
//
// The owner's rows are the rows of every accumulator (keys in the one, queries in the other), so
// that P d and dS come out of their products in the layout that the next ones take their left
// operand in, rounded to it. Slopes of 32 columns are in registers at a time. As in forward,
// results that are not finite are computed again with care.
#include "attention_backward.h"
#include "attention_deltas.h"
#include "attention_plain.h"

namespace pt::cuda {
namespace {

template <class S>
Status backward(const AttentionBackwardArgs& args, Queue& queue) {
  const AttentionShape& shape = args.shape;
  BackwardExtras extras{};
  extras.aligned = heads_are_aligned<S>(shape.head_dim, args.q, args.k, args.v, args.out,
                                        args.grad_out, args.grad_q, args.grad_k, args.grad_v);
  extras.plain = is_plain(shape, extras.aligned);
  Status status = attention_deltas<S>(args, extras.aligned, queue, extras.delta);
  if (status.failed()) return status;
  const bool one_tile = shape.length_k > 0 && shape.length_k <= keys_of_tile(shape.head_dim);
  if (shape.length_k > 0) status = attention_key_gradients(args, extras, one_tile, queue);
  if (status.failed() || one_tile || shape.rows_q == 0) return status;
  return attention_query_gradients(args, extras, queue);
}

}  // namespace

Status attention_backward(const AttentionBackwardArgs& args, Queue& queue) {
  const AttentionShape& shape = args.shape;
  if (shape.batch * shape.heads == 0) return {};
  if (!is_half(shape.type)) return attention_backward_plain(args, queue);
  return with_half(shape.type,
                   [&](auto stored) { return backward<decltype(stored)>(args, queue); });
}

}  // namespace pt::cuda
