#include "autograd.h"

namespace pt::autograd {
namespace {

struct FeedForward : Function<FeedForward> {
  static variable_list forward(AutogradContext* ctx, const Tensor& x, const Tensor& w1,
                               const OptionalTensor& b1, const Tensor& w2, const OptionalTensor& b2,
                               const std::string& activation, double dropout_p,
                               const OptionalTensor& seed) {
    static const auto op = registered<decltype(ops::feed_forward)>("pytransformer::feed_forward");
    const at::AutoDispatchBelowADInplaceOrView below;
    const auto [out, hidden] = op.call(x, w1, b1, w2, b2, activation, dropout_p, seed);
    ctx->save_for_backward({x, w1, w2, hidden, tensor_or_none(seed)});
    ctx->mark_non_differentiable({hidden});
    ctx->set_materialize_grads(false);
    ctx->saved_data["b1"] = b1.has_value();
    ctx->saved_data["b2"] = b2.has_value();
    ctx->saved_data["activation"] = activation;
    ctx->saved_data["dropout_p"] = dropout_p;
    return {out, hidden};
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    static const auto op =
        registered<decltype(ops::feed_forward_backward)>("pytransformer::feed_forward_backward");
    check_first_derivative("feed_forward");
    const at::AutoDispatchBelowADInplaceOrView below;
    variable_list result(8);
    if (!grads[0].defined()) return result;
    const variable_list saved = ctx->get_saved_variables();
    Wanted wanted(ctx);
    std::array<bool, 5> mask{};
    mask[0] = wanted.next();
    mask[1] = wanted.next();
    mask[2] = wanted.next(ctx->saved_data["b1"].toBool());
    mask[3] = wanted.next();
    mask[4] = wanted.next(ctx->saved_data["b2"].toBool());
    const auto [x, w1, b1, w2, b2] =
        op.call(grads[0], saved[0], saved[1], saved[2], saved[3],
                ctx->saved_data["activation"].toStringRef(),
                ctx->saved_data["dropout_p"].toDouble(), optional(saved[4]), mask);
    const Tensor gradients[] = {x, w1, b1, w2, b2};
    for (size_t i = 0; i < mask.size(); i++) result[i] = if_wanted(mask[i], gradients[i]);
    return result;
  }
};

ops::Two feed_forward(const Tensor& x, const Tensor& w1, const OptionalTensor& b1, const Tensor& w2,
                      const OptionalTensor& b2, const std::string& activation, double dropout_p,
                      const OptionalTensor& seed) {
  const variable_list out = FeedForward::apply(x, w1, b1, w2, b2, activation, dropout_p, seed);
  return {out[0], out[1]};
}

}  // namespace

TORCH_LIBRARY_IMPL(pytransformer, Autograd, m) { m.impl("feed_forward", feed_forward); }

}  // namespace pt::autograd
