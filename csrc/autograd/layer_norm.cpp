#include "autograd.h"

namespace pt::autograd {
namespace {

struct LayerNorm : Function<LayerNorm> {
  static variable_list forward(AutogradContext* ctx, const Tensor& x, const Tensor& weight,
                               const Tensor& bias, double eps) {
    static const auto op = registered<decltype(ops::layer_norm)>("pytransformer::layer_norm");
    const at::AutoDispatchBelowADInplaceOrView below;
    const auto [out, mean, rstd] = op.call(x, weight, bias, eps);
    ctx->save_for_backward({x, weight, mean, rstd});
    ctx->mark_non_differentiable({mean, rstd});
    ctx->set_materialize_grads(false);
    return {out, mean, rstd};
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    static const auto op =
        registered<decltype(ops::layer_norm_backward)>("pytransformer::layer_norm_backward");
    check_first_derivative("layer_norm");
    const at::AutoDispatchBelowADInplaceOrView below;
    if (!grads[0].defined()) return variable_list(4);
    const variable_list saved = ctx->get_saved_variables();
    const auto [x, weight, bias] = op.call(grads[0], saved[0], saved[1], saved[2], saved[3]);
    return {x, weight, bias, Tensor()};
  }
};

struct AddLayerNorm : Function<AddLayerNorm> {
  static variable_list forward(AutogradContext* ctx, const Tensor& x, const Tensor& residual,
                               const Tensor& weight, const Tensor& bias, double eps,
                               double dropout_p, const OptionalTensor& seed) {
    static const auto op =
        registered<decltype(ops::add_layer_norm)>("pytransformer::add_layer_norm");
    const at::AutoDispatchBelowADInplaceOrView below;
    const auto [out, sum, mean, rstd] = op.call(x, residual, weight, bias, eps, dropout_p, seed);
    ctx->save_for_backward({sum, weight, mean, rstd, tensor_or_none(seed)});
    ctx->mark_non_differentiable({mean, rstd});
    ctx->set_materialize_grads(false);
    ctx->saved_data["dropout_p"] = dropout_p;
    return {out, sum, mean, rstd};
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    static const auto op = registered<decltype(ops::add_layer_norm_backward)>(
        "pytransformer::add_layer_norm_backward");
    check_first_derivative("add_layer_norm");
    const at::AutoDispatchBelowADInplaceOrView below;
    if (!grads[0].defined() && !grads[1].defined()) return variable_list(7);
    const variable_list saved = ctx->get_saved_variables();
    const Tensor grad_out = grads[0].defined() ? grads[0] : at::zeros_like(grads[1]);
    const double dropout_p = ctx->saved_data["dropout_p"].toDouble();
    const auto [residual, x, weight, bias] =
        op.call(grad_out, optional(grads[1]), saved[0], saved[1], saved[2], saved[3], dropout_p,
                optional(saved[4]));
    // Without dropout both get the same.
    const bool drops = ops::dropout_threshold(dropout_p) > 0;
    return {drops ? x : residual, residual, weight, bias, Tensor(), Tensor(), Tensor()};
  }
};

ops::Three layer_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, double eps) {
  const variable_list out = LayerNorm::apply(x, weight, bias, eps);
  return {out[0], out[1], out[2]};
}

ops::Four add_layer_norm(const Tensor& x, const Tensor& residual, const Tensor& weight,
                         const Tensor& bias, double eps, double dropout_p,
                         const OptionalTensor& seed) {
  const variable_list out = AddLayerNorm::apply(x, residual, weight, bias, eps, dropout_p, seed);
  return {out[0], out[1], out[2], out[3]};
}

}  // namespace

TORCH_LIBRARY_IMPL(pytransformer, Autograd, m) {
  m.impl("layer_norm", layer_norm);
  m.impl("add_layer_norm", add_layer_norm);
}

}  // namespace pt::autograd
