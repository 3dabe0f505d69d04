#include "autograd.h"

namespace pt::autograd {
namespace {

using c10::SymInt;

// The arguments that attention and its weights share, as the schemas have them: lengths may be
// symbols.
struct Arguments {
  OptionalTensor cu_seqlens_q, cu_seqlens_k;
  SymInt max_seqlen_q, max_seqlen_k;
  bool causal;
  int64_t window_left, window_right;
  OptionalTensor mask;
  double scale, dropout_p;
  OptionalTensor seed;

  void save(AutogradContext* ctx, variable_list tensors) const {
    for (const OptionalTensor* tensor : {&cu_seqlens_q, &cu_seqlens_k, &mask, &seed}) {
      tensors.push_back(tensor_or_none(*tensor));
    }
    ctx->save_for_backward(std::move(tensors));
    auto& numbers = ctx->saved_data;
    numbers["max_seqlen_q"] = max_seqlen_q;
    numbers["max_seqlen_k"] = max_seqlen_k;
    numbers["causal"] = causal;
    numbers["window_left"] = window_left;
    numbers["window_right"] = window_right;
    numbers["scale"] = scale;
    numbers["dropout_p"] = dropout_p;
  }

  // `tensors` as they were saved, of which the last four are these.
  static Arguments saved(AutogradContext* ctx, const variable_list& tensors) {
    const Tensor* last = tensors.data() + tensors.size() - 4;
    auto& numbers = ctx->saved_data;
    return {optional(last[0]),
            optional(last[1]),
            numbers["max_seqlen_q"].toSymInt(),
            numbers["max_seqlen_k"].toSymInt(),
            numbers["causal"].toBool(),
            numbers["window_left"].toInt(),
            numbers["window_right"].toInt(),
            optional(last[2]),
            numbers["scale"].toDouble(),
            numbers["dropout_p"].toDouble(),
            optional(last[3])};
  }
};

// A registered op whose last arguments these are.
template <class Result, class... First>
class Op {
 public:
  explicit Op(const char* name) : handle_(registered<Signature>(name)) {}
  Result operator()(First... first, const Arguments& a) const {
    return handle_.call(first..., a.cu_seqlens_q, a.cu_seqlens_k, a.max_seqlen_q, a.max_seqlen_k,
                        a.causal, a.window_left, a.window_right, a.mask, a.scale, a.dropout_p,
                        a.seed);
  }

 private:
  using Signature = Result(First..., const OptionalTensor&, const OptionalTensor&, SymInt, SymInt,
                           bool, int64_t, int64_t, const OptionalTensor&, double, double,
                           const OptionalTensor&);
  const c10::TypedOperatorHandle<Signature> handle_;
};

using In = const Tensor&;
using OptionalIn = const OptionalTensor&;

struct Attention : Function<Attention> {
  static variable_list forward(AutogradContext* ctx, const Tensor& q, const Tensor& k,
                               const Tensor& v, const Arguments& arguments) {
    static const Op<ops::Two, In, In, In> op("pytransformer::attention");
    const at::AutoDispatchBelowADInplaceOrView below;
    const auto [out, statistics] = op(q, k, v, arguments);
    arguments.save(ctx, {q, k, v, out, statistics});
    ctx->mark_non_differentiable({statistics});
    ctx->set_materialize_grads(false);
    return {out, statistics};
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    static const Op<ops::Three, In, In, In, In, In, In> op("pytransformer::attention_backward");
    check_first_derivative("attention");
    const at::AutoDispatchBelowADInplaceOrView below;
    if (!grads[0].defined()) return variable_list(4);
    const variable_list saved = ctx->get_saved_variables();
    const auto [q, k, v] = op(grads[0], saved[0], saved[1], saved[2], saved[3], saved[4],
                              Arguments::saved(ctx, saved));
    return {q, k, v, Tensor()};
  }
};

struct MultiHeadAttention : Function<MultiHeadAttention> {
  static variable_list forward(AutogradContext* ctx, const Tensor& q, const OptionalTensor& kv,
                               int64_t heads, const Arguments& arguments) {
    static const Op<ops::Two, In, OptionalIn, int64_t> op("pytransformer::multi_head_attention");
    const at::AutoDispatchBelowADInplaceOrView below;
    const auto [out, statistics] = op(q, kv, heads, arguments);
    arguments.save(ctx, {q, tensor_or_none(kv), out, statistics});
    ctx->saved_data["heads"] = heads;
    ctx->mark_non_differentiable({statistics});
    ctx->set_materialize_grads(false);
    return {out, statistics};
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    static const Op<ops::Two, In, In, OptionalIn, In, In, int64_t> op(
        "pytransformer::multi_head_attention_backward");
    check_first_derivative("multi_head_attention");
    const at::AutoDispatchBelowADInplaceOrView below;
    if (!grads[0].defined()) return variable_list(4);
    const variable_list saved = ctx->get_saved_variables();
    const auto [q, kv] = op(grads[0], saved[0], optional(saved[1]), saved[2], saved[3],
                            ctx->saved_data["heads"].toInt(), Arguments::saved(ctx, saved));
    return {q, if_wanted(saved[1].defined(), kv), Tensor(), Tensor()};
  }
};

struct AttentionWeights : Function<AttentionWeights> {
  static Tensor forward(AutogradContext* ctx, const Tensor& q, const Tensor& k,
                        const Arguments& arguments) {
    static const Op<Tensor, In, In> op("pytransformer::attention_weights");
    const at::AutoDispatchBelowADInplaceOrView below;
    arguments.save(ctx, {q, k});
    return op(q, k, arguments);
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    static const Op<ops::Two, In, In, In> op("pytransformer::attention_weights_backward");
    check_first_derivative("attention_weights");
    const at::AutoDispatchBelowADInplaceOrView below;
    const variable_list saved = ctx->get_saved_variables();
    const auto [q, k] = op(grads[0], saved[0], saved[1], Arguments::saved(ctx, saved));
    return {q, k, Tensor()};
  }
};

ops::Two attention(const Tensor& q, const Tensor& k, const Tensor& v,
                   const OptionalTensor& cu_seqlens_q, const OptionalTensor& cu_seqlens_k,
                   SymInt max_seqlen_q, SymInt max_seqlen_k, bool causal, int64_t window_left,
                   int64_t window_right, const OptionalTensor& mask, double scale, double dropout_p,
                   const OptionalTensor& seed) {
  const variable_list out = Attention::apply(
      q, k, v,
      Arguments{cu_seqlens_q, cu_seqlens_k, std::move(max_seqlen_q), std::move(max_seqlen_k),
                causal, window_left, window_right, mask, scale, dropout_p, seed});
  return {out[0], out[1]};
}

ops::Two multi_head_attention(const Tensor& q, const OptionalTensor& kv, int64_t heads,
                              const OptionalTensor& cu_seqlens_q,
                              const OptionalTensor& cu_seqlens_k, SymInt max_seqlen_q,
                              SymInt max_seqlen_k, bool causal, int64_t window_left,
                              int64_t window_right, const OptionalTensor& mask, double scale,
                              double dropout_p, const OptionalTensor& seed) {
  const variable_list out = MultiHeadAttention::apply(
      q, kv, heads,
      Arguments{cu_seqlens_q, cu_seqlens_k, std::move(max_seqlen_q), std::move(max_seqlen_k),
                causal, window_left, window_right, mask, scale, dropout_p, seed});
  return {out[0], out[1]};
}

Tensor attention_weights(const Tensor& q, const Tensor& k, const OptionalTensor& cu_seqlens_q,
                         const OptionalTensor& cu_seqlens_k, SymInt max_seqlen_q,
                         SymInt max_seqlen_k, bool causal, int64_t window_left,
                         int64_t window_right, const OptionalTensor& mask, double scale,
                         double dropout_p, const OptionalTensor& seed) {
  return AttentionWeights::apply(
      q, k,
      Arguments{cu_seqlens_q, cu_seqlens_k, std::move(max_seqlen_q), std::move(max_seqlen_k),
                causal, window_left, window_right, mask, scale, dropout_p, seed});
}

}  // namespace

TORCH_LIBRARY_IMPL(pytransformer, Autograd, m) {
  m.impl("attention", attention);
  m.impl("multi_head_attention", multi_head_attention);
  m.impl("attention_weights", attention_weights);
}

}  // namespace pt::autograd
