// Every op, as the schemas in bindings/library.cpp name them.
#pragma once

#include <array>
#include <string>
#include <tuple>

#include "tensors.h"

namespace pt::ops {

using Two = std::tuple<Tensor, Tensor>;
using Three = std::tuple<Tensor, Tensor, Tensor>;
using Four = std::tuple<Tensor, Tensor, Tensor, Tensor>;
using Five = std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor>;

Tensor linear(const Tensor& x, const Tensor& weight, const OptionalTensor& bias);
Three linear_backward(const Tensor& grad, const Tensor& x, const Tensor& weight,
                      std::array<bool, 3> output_mask);

Two feed_forward(const Tensor& x, const Tensor& w1, const OptionalTensor& b1, const Tensor& w2,
                 const OptionalTensor& b2, const std::string& activation, double dropout_p,
                 const OptionalTensor& seed);
Five feed_forward_backward(const Tensor& grad, const Tensor& x, const Tensor& w1, const Tensor& w2,
                           const Tensor& hidden, const std::string& activation, double dropout_p,
                           const OptionalTensor& seed, std::array<bool, 5> output_mask);

Three layer_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, double eps);
Three layer_norm_backward(const Tensor& grad, const Tensor& x, const Tensor& weight,
                          const Tensor& mean, const Tensor& rstd);
Four add_layer_norm(const Tensor& x, const Tensor& residual, const Tensor& weight,
                    const Tensor& bias, double eps, double dropout_p, const OptionalTensor& seed);
Four add_layer_norm_backward(const Tensor& grad_out, const OptionalTensor& grad_sum,
                             const Tensor& sum, const Tensor& weight, const Tensor& mean,
                             const Tensor& rstd, double dropout_p, const OptionalTensor& seed);

Four linear_cross_entropy(const Tensor& x, const Tensor& weight, const Tensor& targets,
                          const OptionalTensor& bias, double label_smoothing, int64_t ignore_index,
                          const std::string& reduction, int64_t classes, bool gradients);
Three linear_cross_entropy_backward(const Tensor& grad, const Tensor& x, const Tensor& weight,
                                    const Tensor& targets, const OptionalTensor& bias,
                                    double label_smoothing, int64_t ignore_index, int64_t classes);

Tensor embedding(const Tensor& tokens, const Tensor& weight, const OptionalTensor& cu_seqlens,
                 int64_t max_seqlen, const OptionalTensor& positions, bool sinusoidal, double scale,
                 double dropout_p, const OptionalTensor& seed, int64_t padding_idx,
                 at::ScalarType dtype, bool sparse);
Two embedding_backward(const Tensor& grad, const Tensor& tokens, const Tensor& weight,
                       const OptionalTensor& cu_seqlens, const OptionalTensor& positions,
                       double scale, double dropout_p, const OptionalTensor& seed,
                       int64_t padding_idx, bool sparse, std::array<bool, 2> output_mask);

Two attention(const Tensor& q, const Tensor& k, const Tensor& v, const OptionalTensor& cu_seqlens_q,
              const OptionalTensor& cu_seqlens_k, int64_t max_seqlen_q, int64_t max_seqlen_k,
              bool causal, int64_t window_left, int64_t window_right, const OptionalTensor& mask,
              double scale, double dropout_p, const OptionalTensor& seed);
Three attention_backward(const Tensor& grad, const Tensor& q, const Tensor& k, const Tensor& v,
                         const Tensor& out, const Tensor& statistics,
                         const OptionalTensor& cu_seqlens_q, const OptionalTensor& cu_seqlens_k,
                         int64_t max_seqlen_q, int64_t max_seqlen_k, bool causal,
                         int64_t window_left, int64_t window_right, const OptionalTensor& mask,
                         double scale, double dropout_p, const OptionalTensor& seed);
Two multi_head_attention(const Tensor& q, const OptionalTensor& kv, int64_t heads,
                         const OptionalTensor& cu_seqlens_q, const OptionalTensor& cu_seqlens_k,
                         int64_t max_seqlen_q, int64_t max_seqlen_k, bool causal,
                         int64_t window_left, int64_t window_right, const OptionalTensor& mask,
                         double scale, double dropout_p, const OptionalTensor& seed);
Two multi_head_attention_backward(const Tensor& grad, const Tensor& q, const OptionalTensor& kv,
                                  const Tensor& out, const Tensor& statistics, int64_t heads,
                                  const OptionalTensor& cu_seqlens_q,
                                  const OptionalTensor& cu_seqlens_k, int64_t max_seqlen_q,
                                  int64_t max_seqlen_k, bool causal, int64_t window_left,
                                  int64_t window_right, const OptionalTensor& mask, double scale,
                                  double dropout_p, const OptionalTensor& seed);
Tensor attention_weights(const Tensor& q, const Tensor& k, const OptionalTensor& cu_seqlens_q,
                         const OptionalTensor& cu_seqlens_k, int64_t max_seqlen_q,
                         int64_t max_seqlen_k, bool causal, int64_t window_left,
                         int64_t window_right, const OptionalTensor& mask, double scale,
                         double dropout_p, const OptionalTensor& seed);
Two attention_weights_backward(const Tensor& grad, const Tensor& q, const Tensor& k,
                               const OptionalTensor& cu_seqlens_q,
                               const OptionalTensor& cu_seqlens_k, int64_t max_seqlen_q,
                               int64_t max_seqlen_k, bool causal, int64_t window_left,
                               int64_t window_right, const OptionalTensor& mask, double scale,
                               double dropout_p, const OptionalTensor& seed);

// Aliases, one for each use.
std::vector<Tensor> tied(const Tensor& weight, int64_t uses);

Two top_log_probs(const Tensor& logits, int64_t k);
Tensor sum_of_squares(at::TensorList tensors);
Tensor orthogonalize(const Tensor& x, int64_t steps);

}  // namespace pt::ops
