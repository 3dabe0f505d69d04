#include "autograd.h"

namespace pt::autograd {
namespace {

struct Linear : Function<Linear> {
  static Tensor forward(AutogradContext* ctx, const Tensor& x, const Tensor& weight,
                        const OptionalTensor& bias) {
    static const auto op = registered<decltype(ops::linear)>("pytransformer::linear");
    const at::AutoDispatchBelowADInplaceOrView below;
    ctx->save_for_backward({x, weight});
    ctx->saved_data["bias"] = bias.has_value();
    return op.call(x, weight, bias);
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    static const auto op =
        registered<decltype(ops::linear_backward)>("pytransformer::linear_backward");
    check_first_derivative("linear");
    const at::AutoDispatchBelowADInplaceOrView below;
    const variable_list saved = ctx->get_saved_variables();
    Wanted wanted(ctx);
    const bool x = wanted.next(), weight = wanted.next();
    const bool bias = wanted.next(ctx->saved_data["bias"].toBool());
    const auto [grad_x, grad_weight, grad_bias] =
        op.call(grads[0], saved[0], saved[1], {x, weight, bias});
    return {if_wanted(x, grad_x), if_wanted(weight, grad_weight), if_wanted(bias, grad_bias)};
  }
};

Tensor linear(const Tensor& x, const Tensor& weight, const OptionalTensor& bias) {
  return Linear::apply(x, weight, bias);
}

}  // namespace

TORCH_LIBRARY_IMPL(pytransformer, Autograd, m) { m.impl("linear", linear); }

}  // namespace pt::autograd
