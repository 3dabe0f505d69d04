// Every schema on one page, and what implements it. Derivatives are registered in
// csrc/autograd, fake tensors in Python beside each op's public function (pytransformer/ops).
#include <torch/library.h>

#include "../ops/ops.h"

TORCH_LIBRARY(pytransformer, m) {
  m.def("linear(Tensor x, Tensor weight, Tensor? bias) -> Tensor");
  m.def(
      "linear_backward(Tensor grad, Tensor x, Tensor weight, bool[3] output_mask)"
      " -> (Tensor, Tensor, Tensor)");
  m.def(
      "feed_forward(Tensor x, Tensor w1, Tensor? b1, Tensor w2, Tensor? b2, str activation,"
      " float dropout_p, Tensor? seed) -> (Tensor, Tensor)");
  m.def(
      "feed_forward_backward(Tensor grad, Tensor x, Tensor w1, Tensor w2, Tensor hidden,"
      " str activation, float dropout_p, Tensor? seed, bool[5] output_mask)"
      " -> (Tensor, Tensor, Tensor, Tensor, Tensor)");
  m.def("layer_norm(Tensor x, Tensor weight, Tensor bias, float eps) -> (Tensor, Tensor, Tensor)");
  m.def(
      "layer_norm_backward(Tensor grad, Tensor x, Tensor weight, Tensor mean, Tensor rstd)"
      " -> (Tensor, Tensor, Tensor)");
  m.def(
      "add_layer_norm(Tensor x, Tensor residual, Tensor weight, Tensor bias, float eps,"
      " float dropout_p, Tensor? seed) -> (Tensor, Tensor, Tensor, Tensor)");
  m.def(
      "add_layer_norm_backward(Tensor grad_out, Tensor? grad_sum, Tensor sum, Tensor weight,"
      " Tensor mean, Tensor rstd, float dropout_p, Tensor? seed) -> (Tensor, Tensor, Tensor, "
      "Tensor)");
  m.def(
      "linear_cross_entropy(Tensor x, Tensor weight, Tensor targets, Tensor? bias,"
      " float label_smoothing, int ignore_index, str reduction, int classes, bool gradients)"
      " -> (Tensor, Tensor, Tensor, Tensor)");
  m.def(
      "linear_cross_entropy_backward(Tensor grad, Tensor x, Tensor weight, Tensor targets,"
      " Tensor? bias, float label_smoothing, int ignore_index, int classes)"
      " -> (Tensor, Tensor, Tensor)");
  m.def(
      "embedding(Tensor tokens, Tensor weight, Tensor? cu_seqlens, SymInt max_seqlen,"
      " Tensor? positions, bool sinusoidal, float scale, float dropout_p, Tensor? seed, int "
      "padding_idx,"
      " ScalarType dtype, bool sparse) -> Tensor");
  m.def(
      "embedding_backward(Tensor grad, Tensor tokens, Tensor weight, Tensor? cu_seqlens,"
      " Tensor? positions, float scale, float dropout_p, Tensor? seed, int padding_idx,"
      " bool sparse, bool[2] output_mask) -> (Tensor, Tensor)");
  m.def(
      "attention(Tensor q, Tensor k, Tensor v, Tensor? cu_seqlens_q, Tensor? cu_seqlens_k,"
      " SymInt max_seqlen_q, SymInt max_seqlen_k, bool causal, int window_left, int window_right,"
      " Tensor? mask, float scale, float dropout_p, Tensor? seed) -> (Tensor, Tensor)");
  m.def(
      "attention_backward(Tensor grad, Tensor q, Tensor k, Tensor v, Tensor out,"
      " Tensor statistics, Tensor? cu_seqlens_q, Tensor? cu_seqlens_k, SymInt max_seqlen_q, SymInt "
      "max_seqlen_k,"
      " bool causal, int window_left, int window_right, Tensor? mask, float scale,"
      " float dropout_p, Tensor? seed) -> (Tensor, Tensor, Tensor)");
  m.def(
      "multi_head_attention(Tensor q, Tensor? kv, int heads, Tensor? cu_seqlens_q,"
      " Tensor? cu_seqlens_k, SymInt max_seqlen_q, SymInt max_seqlen_k, bool causal,"
      " int window_left, int window_right, Tensor? mask, float scale, float dropout_p,"
      " Tensor? seed) -> (Tensor, Tensor)");
  m.def(
      "multi_head_attention_backward(Tensor grad, Tensor q, Tensor? kv, Tensor out,"
      " Tensor statistics, int heads, Tensor? cu_seqlens_q, Tensor? cu_seqlens_k,"
      " SymInt max_seqlen_q, SymInt max_seqlen_k, bool causal, int window_left, int window_right,"
      " Tensor? mask, float scale, float dropout_p, Tensor? seed) -> (Tensor, Tensor)");
  m.def(
      "attention_weights(Tensor q, Tensor k, Tensor? cu_seqlens_q, Tensor? cu_seqlens_k,"
      " SymInt max_seqlen_q, SymInt max_seqlen_k, bool causal, int window_left, int window_right,"
      " Tensor? mask, float scale, float dropout_p, Tensor? seed) -> Tensor");
  m.def(
      "attention_weights_backward(Tensor grad, Tensor q, Tensor k, Tensor? cu_seqlens_q,"
      " Tensor? cu_seqlens_k, SymInt max_seqlen_q, SymInt max_seqlen_k, bool causal,"
      " int window_left, int window_right, Tensor? mask, float scale, float dropout_p, Tensor? "
      "seed)"
      " -> (Tensor, Tensor)");
  m.def("tied(Tensor(a) weight, int uses) -> Tensor(a)[]");
  m.def("top_log_probs(Tensor logits, int k) -> (Tensor, Tensor)");
  m.def("sum_of_squares(Tensor[] tensors) -> Tensor");
  m.def("orthogonalize(Tensor x, int steps) -> Tensor");
}

// The functions look for themselves where their tensors are.
static void implement(torch::Library& m) {
  m.impl("linear", pt::ops::linear);
  m.impl("linear_backward", pt::ops::linear_backward);
  m.impl("feed_forward", pt::ops::feed_forward);
  m.impl("feed_forward_backward", pt::ops::feed_forward_backward);
  m.impl("layer_norm", pt::ops::layer_norm);
  m.impl("layer_norm_backward", pt::ops::layer_norm_backward);
  m.impl("add_layer_norm", pt::ops::add_layer_norm);
  m.impl("add_layer_norm_backward", pt::ops::add_layer_norm_backward);
  m.impl("linear_cross_entropy", pt::ops::linear_cross_entropy);
  m.impl("linear_cross_entropy_backward", pt::ops::linear_cross_entropy_backward);
  m.impl("embedding", pt::ops::embedding);
  m.impl("embedding_backward", pt::ops::embedding_backward);
  m.impl("attention", pt::ops::attention);
  m.impl("attention_backward", pt::ops::attention_backward);
  m.impl("multi_head_attention", pt::ops::multi_head_attention);
  m.impl("multi_head_attention_backward", pt::ops::multi_head_attention_backward);
  m.impl("attention_weights", pt::ops::attention_weights);
  m.impl("attention_weights_backward", pt::ops::attention_weights_backward);
  m.impl("top_log_probs", pt::ops::top_log_probs);
  m.impl("sum_of_squares", pt::ops::sum_of_squares);
  m.impl("orthogonalize", pt::ops::orthogonalize);
}

TORCH_LIBRARY_IMPL(pytransformer, CPU, m) { implement(m); }
// Without kernels for CUDA as well, so that the refusal says what is missing.
TORCH_LIBRARY_IMPL(pytransformer, CUDA, m) { implement(m); }

// Of no device in particular.
TORCH_LIBRARY_IMPL(pytransformer, CompositeExplicitAutograd, m) { m.impl("tied", pt::ops::tied); }
