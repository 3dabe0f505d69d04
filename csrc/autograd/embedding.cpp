#include "autograd.h"

namespace pt::autograd {
namespace {

Tensor embedding(const Tensor& tokens, const Tensor& weight, const OptionalTensor& cu_seqlens,
                 c10::SymInt max_seqlen, const OptionalTensor& positions, bool sinusoidal,
                 double scale, double dropout_p, const OptionalTensor& seed, int64_t padding_idx,
                 at::ScalarType dtype, bool sparse);

struct Embedding : Function<Embedding> {
  static Tensor forward(AutogradContext* ctx, const Tensor& tokens, const Tensor& weight,
                        const OptionalTensor& cu_seqlens, c10::SymInt max_seqlen,
                        const OptionalTensor& positions, bool sinusoidal, double scale,
                        double dropout_p, const OptionalTensor& seed, int64_t padding_idx,
                        at::ScalarType dtype, bool sparse) {
    static const auto op = registered<decltype(embedding)>("pytransformer::embedding");
    const at::AutoDispatchBelowADInplaceOrView below;
    ctx->save_for_backward({tokens, weight, tensor_or_none(cu_seqlens), tensor_or_none(positions),
                            tensor_or_none(seed)});
    ctx->saved_data["scale"] = scale;
    ctx->saved_data["dropout_p"] = dropout_p;
    ctx->saved_data["padding_idx"] = padding_idx;
    ctx->saved_data["sparse"] = sparse;
    return op.call(tokens, weight, cu_seqlens, std::move(max_seqlen), positions, sinusoidal, scale,
                   dropout_p, seed, padding_idx, dtype, sparse);
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    static const auto op =
        registered<decltype(ops::embedding_backward)>("pytransformer::embedding_backward");
    check_first_derivative("embedding");
    const at::AutoDispatchBelowADInplaceOrView below;
    const variable_list saved = ctx->get_saved_variables();
    Wanted wanted(ctx);
    wanted.next();  // tokens
    const bool weight = wanted.next();
    wanted.next(saved[2].defined());
    const bool positions = wanted.next(saved[3].defined());
    const auto [grad_weight, grad_positions] =
        op.call(grads[0], saved[0], saved[1], optional(saved[2]), optional(saved[3]),
                ctx->saved_data["scale"].toDouble(), ctx->saved_data["dropout_p"].toDouble(),
                optional(saved[4]), ctx->saved_data["padding_idx"].toInt(),
                ctx->saved_data["sparse"].toBool(), {weight, positions});
    variable_list result(12);
    result[1] = if_wanted(weight, grad_weight);
    result[4] = if_wanted(positions, grad_positions);
    return result;
  }
};

Tensor embedding(const Tensor& tokens, const Tensor& weight, const OptionalTensor& cu_seqlens,
                 c10::SymInt max_seqlen, const OptionalTensor& positions, bool sinusoidal,
                 double scale, double dropout_p, const OptionalTensor& seed, int64_t padding_idx,
                 at::ScalarType dtype, bool sparse) {
  return Embedding::apply(tokens, weight, cu_seqlens, std::move(max_seqlen), positions, sinusoidal,
                          scale, dropout_p, seed, padding_idx, dtype, sparse);
}

}  // namespace

TORCH_LIBRARY_IMPL(pytransformer, Autograd, m) { m.impl("embedding", embedding); }

}  // namespace pt::autograd
