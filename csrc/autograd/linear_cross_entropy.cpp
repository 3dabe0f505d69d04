#include <ATen/TensorSubclassLikeUtils.h>

#include "autograd.h"

namespace pt::autograd {
namespace {

// For "mean" and "sum", forward leaves gradients that only have to be multiplied; mostly by 1,
// which is not worth a pass over the weight's.
bool is_one(const Tensor& factor) {
  return factor.is_cpu() && !at::isTensorSubclassLike(factor) && factor.item<double>() == 1.0;
}

struct LinearCrossEntropy : Function<LinearCrossEntropy> {
  static variable_list forward(AutogradContext* ctx, const Tensor& x, const Tensor& weight,
                               const Tensor& targets, const OptionalTensor& bias,
                               double label_smoothing, int64_t ignore_index,
                               const std::string& reduction, int64_t classes, bool gradients) {
    static const auto op =
        registered<decltype(ops::linear_cross_entropy)>("pytransformer::linear_cross_entropy");
    const at::AutoDispatchBelowADInplaceOrView below;
    const auto [loss, grad_x, grad_weight, grad_bias] = op.call(
        x, weight, targets, bias, label_smoothing, ignore_index, reduction, classes, gradients);
    ctx->mark_non_differentiable({grad_x, grad_weight, grad_bias});
    ctx->set_materialize_grads(false);
    const bool later = reduction == "none";
    ctx->saved_data["later"] = later;
    ctx->saved_data["bias"] = bias.has_value();
    if (later) {
      ctx->save_for_backward({x, weight, targets, tensor_or_none(bias)});
      ctx->saved_data["label_smoothing"] = label_smoothing;
      ctx->saved_data["ignore_index"] = ignore_index;
      ctx->saved_data["classes"] = classes;
    } else {
      // Aliases: the results go through Python's hands, which torch counts as an owner for good,
      // and what has two owners is copied before a sum of gradients may be made of it.
      ctx->save_for_backward({grad_x.alias(), grad_weight.alias(), grad_bias.alias()});
    }
    return {loss, grad_x, grad_weight, grad_bias};
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    static const auto op = registered<decltype(ops::linear_cross_entropy_backward)>(
        "pytransformer::linear_cross_entropy_backward");
    check_first_derivative("linear_cross_entropy");
    const at::AutoDispatchBelowADInplaceOrView below;
    variable_list result(9);
    if (!grads[0].defined()) return result;
    const variable_list saved = ctx->get_saved_variables();
    Tensor bias;
    if (ctx->saved_data["later"].toBool()) {
      std::tie(result[0], result[1], bias) =
          op.call(grads[0], saved[0], saved[1], saved[2], optional(saved[3]),
                  ctx->saved_data["label_smoothing"].toDouble(),
                  ctx->saved_data["ignore_index"].toInt(), ctx->saved_data["classes"].toInt());
    } else {
      const bool finished = is_one(grads[0]);
      result[0] = finished ? saved[0] : saved[0] * grads[0];
      result[1] = finished ? saved[1] : saved[1] * grads[0];
      bias = finished ? saved[2] : saved[2] * grads[0];
    }
    result[3] = if_wanted(ctx->saved_data["bias"].toBool(), bias);
    return result;
  }
};

ops::Four linear_cross_entropy(const Tensor& x, const Tensor& weight, const Tensor& targets,
                               const OptionalTensor& bias, double label_smoothing,
                               int64_t ignore_index, const std::string& reduction, int64_t classes,
                               bool gradients) {
  const variable_list out = LinearCrossEntropy::apply(x, weight, targets, bias, label_smoothing,
                                                      ignore_index, reduction, classes, gradients);
  return {out[0], out[1], out[2], out[3]};
}

}  // namespace

TORCH_LIBRARY_IMPL(pytransformer, Autograd, m) {
  m.impl("linear_cross_entropy", linear_cross_entropy);
}

}  // namespace pt::autograd
