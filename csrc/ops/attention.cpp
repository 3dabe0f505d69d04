// attention, multi_head_attention and attention_weights: from tensors to AttentionShape and
// HeadRows.
#include <cmath>
#include <limits>

#include "device.h"
#include "ops.h"

namespace pt::ops {

namespace {

constexpr int64_t kMaxHeadDim = 256;

// The arguments that forward and backward, attention and weights have in common.
struct Options {
  const char* op;
  const OptionalTensor& cu_seqlens_q;
  const OptionalTensor& cu_seqlens_k;
  int64_t max_seqlen_q, max_seqlen_k;
  bool causal;
  int64_t window_left, window_right;
  const OptionalTensor& mask;
  double scale, dropout_p;
  const OptionalTensor& seed;
};

void check_heads(const char* op, const char* name, const Tensor& x, const Tensor& q, bool packed) {
  check_rows(op, name, x);
  PT_CHECK(x.dim() == (packed ? 3 : 4), op, ": ", name, " has shape ", x.sizes(),
           packed ? "; with cu_seqlens it must be [tokens, heads, head_dim]"
                  : "; without cu_seqlens it must be [batch, length, heads, head_dim]");
  check_same(op, name, x, "q", q);
  PT_CHECK(x.size(-2) == q.size(-2), op, ": ", name, " has ", x.size(-2), " heads, but q has ",
           q.size(-2));
  PT_CHECK(x.size(-1) == q.size(-1), op, ": ", name, " has head_dim ", x.size(-1), ", but q has ",
           q.size(-1));
  PT_CHECK(packed || x.size(0) == q.size(0), op, ": ", name, " has batch ", x.size(0),
           ", but q has ", q.size(0));
}

// The operands of one call: shape, mask in the arithmetic's type, and what keeps both alive.
class Call {
 public:
  Call(const Options& options, const Tensor& q, const Tensor& k, const Tensor* v) {
    const char* op = options.op;
    packed_ = options.cu_seqlens_q.has_value();
    PT_CHECK(packed_ == options.cu_seqlens_k.has_value(), op,
             ": cu_seqlens_q and cu_seqlens_k go together; cu_seqlens_",
             packed_ ? "k is missing" : "q is missing");
    check_heads(op, "q", q, q, packed_);
    check_heads(op, "k", k, q, packed_);
    if (v != nullptr) {
      check_heads(op, "v", *v, q, packed_);
      const int64_t length = packed_ ? 0 : 1;
      PT_CHECK(v->size(length) == k.size(length), op, ": v has ", v->size(length),
               " rows, but k has ", k.size(length));
    }
    PT_CHECK(q.size(-1) >= 1 && q.size(-1) <= kMaxHeadDim, op, ": head_dim is ", q.size(-1),
             "; it must be between 1 and ", kMaxHeadDim);
    shape.type = type_of(q);
    shape.heads = q.size(-2);
    shape.head_dim = q.size(-1);
    shape.scale = options.scale;
    shape.dropout = dropout_of(op, options.dropout_p, options.seed);
    lengths(options, q, k);
    visibility(options, q);
  }

  // The kernels address rows with 64-bit strides of whatever layout the caller has.
  HeadRows rows_of(const Tensor& x) const {
    const int64_t row = packed_ ? 0 : 1;
    return {const_cast<void*>(x.const_data_ptr()), packed_ ? 0 : x.stride(0), x.stride(row),
            x.stride(row + 1)};
  }

  AttentionShape shape{};
  int64_t max_q = 0, max_k = 0;

 private:
  void lengths(const Options& options, const Tensor& q, const Tensor& k) {
    if (!packed_) {
      shape.batch = q.size(0);
      shape.length_q = max_q = q.size(1);
      shape.length_k = max_k = k.size(1);
      shape.rows_q = q.size(0) * q.size(1);
      shape.rows_k = k.size(0) * k.size(1);
      return;
    }
    const char* op = options.op;
    check_cu_seqlens(op, "cu_seqlens_q", *options.cu_seqlens_q, q, q.size(0));
    check_cu_seqlens(op, "cu_seqlens_k", *options.cu_seqlens_k, k, k.size(0));
    PT_CHECK(options.cu_seqlens_q->size(0) == options.cu_seqlens_k->size(0), op,
             ": cu_seqlens_q has ", options.cu_seqlens_q->size(0) - 1,
             " sequences, but cu_seqlens_k has ", options.cu_seqlens_k->size(0) - 1);
    starts_q_ = options.cu_seqlens_q->contiguous();
    starts_k_ = options.cu_seqlens_k->contiguous();
    shape.batch = starts_q_.size(0) - 1;
    shape.cu_seqlens_q = starts_q_.const_data_ptr<int32_t>();
    shape.cu_seqlens_k = starts_k_.const_data_ptr<int32_t>();
    shape.rows_q = q.size(0);
    shape.rows_k = k.size(0);
    max_q = longest_sequence(op, "max_seqlen_q", options.max_seqlen_q, starts_q_);
    max_k = longest_sequence(op, "max_seqlen_k", options.max_seqlen_k, starts_k_);
    // Whatever was asked for, no sequence has more rows than there are.
    shape.length_q = std::min(max_q, shape.rows_q);
    shape.length_k = std::min(max_k, shape.rows_k);
  }

  void visibility(const Options& options, const Tensor& q) {
    const char* op = options.op;
    PT_CHECK(options.window_left >= -1 && options.window_right >= -1, op, ": window is (",
             options.window_left, ", ", options.window_right,
             "); each bound must be at least 0, or -1 for none");
    Visibility& v = shape.visibility;
    v.causal = options.causal;
    // A window wider than everything is cut, so that sums of positions cannot overflow.
    const int64_t everything = shape.length_q + shape.length_k;
    v.window_left = std::min(options.window_left, everything);
    v.window_right = std::min(options.window_right, everything);
    v.kind = MaskKind::none;
    if (!options.mask.has_value()) return;
    const Tensor& mask = *options.mask;
    PT_CHECK(mask.device() == q.device(), op, ": mask is on ", mask.device(), ", but q is on ",
             q.device());
    PT_CHECK(!mask.requires_grad(), op,
             ": mask requires grad, but no gradient is computed for it; detach it");
    const bool boolean = mask.scalar_type() == at::kBool;
    PT_CHECK(boolean || at::isFloatingType(mask.scalar_type()), op, ": mask is ",
             mask.scalar_type(), "; expected Bool (True where visible) or a floating type (added)");
    PT_CHECK(mask.dim() <= 4, op, ": mask has shape ", mask.sizes(),
             "; expected at most 4 dimensions");
    const std::array<int64_t, 4> full{shape.batch, shape.heads, max_q, max_k};
    for (int64_t d = 0; d < mask.dim(); d++) {
      const int64_t to = full[4 - mask.dim() + d];
      PT_CHECK(
          mask.size(d) == 1 || mask.size(d) == to, op, ": mask has shape ", mask.sizes(),
          ", which does not broadcast to [batch, heads, max_q, max_k] = ", at::IntArrayRef(full));
    }
    mask_ = boolean ? mask : additive(mask, compute_type(q.scalar_type()));
    const Tensor whole = mask_.expand(full);
    v.kind = boolean ? MaskKind::boolean : MaskKind::additive;
    v.mask = whole.const_data_ptr();
    v.mask_batch = whole.stride(0);
    v.mask_head = whole.stride(1);
    v.mask_query = whole.stride(2);
    v.mask_key = whole.stride(3);
  }

  // In the arithmetic's type. A finite number that it cannot hold must not become -infinity, which
  // hides.
  static Tensor additive(const Tensor& mask, at::ScalarType type) {
    if (mask.scalar_type() != at::kDouble || type == at::kDouble) return mask.to(type);
    const double lowest = -std::numeric_limits<float>::max();
    return mask.clamp_min(lowest).to(type).masked_fill_(mask == -INFINITY, -INFINITY);
  }

  bool packed_;
  Tensor starts_q_, starts_k_, mask_;
};

Tensor statistics_for(const Tensor& q, const AttentionShape& shape) {
  return at::empty({2, shape.heads, shape.rows_q},
                   q.options().dtype(compute_type(q.scalar_type())));
}

struct Heads {
  Tensor q, k, v;
};

// Heads of one of `count` matrices that lie side by side: [..., count * heads * head_dim] to
// [..., heads, head_dim]. As one view: unflatten and select would be two, and forward needs three
// parts, backward eight.
Tensor part(const Tensor& x, int64_t index, int64_t count, int64_t heads) {
  const int64_t head_dim = x.size(-1) / (count * heads), column = x.stride(-1);
  c10::DimVector sizes(x.sizes()), strides(x.strides());
  sizes.back() = heads;
  sizes.push_back(head_dim);
  strides.back() = head_dim * column;
  strides.push_back(column);
  return x.as_strided(sizes, strides, x.storage_offset() + index * heads * head_dim * column);
}

Heads split(const char* op, const Tensor& q, const OptionalTensor& kv, int64_t heads) {
  const int64_t count = kv.has_value() ? 1 : 3;
  PT_CHECK(heads >= 1, op, ": heads is ", heads, "; it must be at least 1");
  PT_CHECK(q.dim() >= 1 && q.size(-1) >= 1 && q.size(-1) % (count * heads) == 0, op,
           ": q has shape ", q.sizes(), "; its columns must be a multiple of ", count * heads,
           kv.has_value() ? ", the heads" : ", three times the heads, without kv");
  if (!kv.has_value()) return {part(q, 0, 3, heads), part(q, 1, 3, heads), part(q, 2, 3, heads)};
  PT_CHECK(kv->dim() >= 1 && kv->size(-1) == 2 * q.size(-1), op, ": kv has shape ", kv->sizes(),
           "; expected ", 2 * q.size(-1), " columns, twice those of q");
  return {part(q, 0, 1, heads), part(*kv, 0, 2, heads), part(*kv, 1, 2, heads)};
}

Two forward(const Options& options, const Heads& given) {
  const Call call(options, given.q, given.k, &given.v);
  const Tensor q = with_unit_columns(given.q), k = with_unit_columns(given.k),
               v = with_unit_columns(given.v);
  Tensor out = at::empty(q.sizes(), q.options()), statistics = statistics_for(q, call.shape);
  on(q).attention_forward({call.shape, call.rows_of(q), call.rows_of(k), call.rows_of(v),
                           call.rows_of(out), statistics.mutable_data_ptr()});
  return {out, statistics};
}

// Writes the gradients to `grads`, whose columns lie side by side.
void backward(const Options& options, const Tensor& grad_in, const Heads& given, const Tensor& out,
              const Tensor& statistics, const Heads& grads) {
  const Call call(options, given.q, given.k, &given.v);
  const auto type = given.q.scalar_type();
  check_kept(options.op, "grad", grad_in, given.q.sizes(), type, given.q);
  check_kept(options.op, "out", out, given.q.sizes(), type, given.q);
  check_kept(options.op, "statistics", statistics, {2, call.shape.heads, call.shape.rows_q},
             compute_type(type), given.q);
  const Tensor q = with_unit_columns(given.q), k = with_unit_columns(given.k),
               v = with_unit_columns(given.v), grad = with_unit_columns(grad_in);
  on(q).attention_backward({call.shape, call.rows_of(q), call.rows_of(k), call.rows_of(v),
                            call.rows_of(out), call.rows_of(grad), statistics.const_data_ptr(),
                            call.rows_of(grads.q), call.rows_of(grads.k), call.rows_of(grads.v)});
}

}  // namespace

Two attention(const Tensor& q, const Tensor& k, const Tensor& v, const OptionalTensor& cu_seqlens_q,
              const OptionalTensor& cu_seqlens_k, int64_t max_seqlen_q, int64_t max_seqlen_k,
              bool causal, int64_t window_left, int64_t window_right, const OptionalTensor& mask,
              double scale, double dropout_p, const OptionalTensor& seed) {
  return forward({"attention", cu_seqlens_q, cu_seqlens_k, max_seqlen_q, max_seqlen_k, causal,
                  window_left, window_right, mask, scale, dropout_p, seed},
                 {q, k, v});
}

Three attention_backward(const Tensor& grad, const Tensor& q, const Tensor& k, const Tensor& v,
                         const Tensor& out, const Tensor& statistics,
                         const OptionalTensor& cu_seqlens_q, const OptionalTensor& cu_seqlens_k,
                         int64_t max_seqlen_q, int64_t max_seqlen_k, bool causal,
                         int64_t window_left, int64_t window_right, const OptionalTensor& mask,
                         double scale, double dropout_p, const OptionalTensor& seed) {
  const Heads grads{at::empty(q.sizes(), q.options()), at::empty(k.sizes(), k.options()),
                    at::empty(v.sizes(), v.options())};
  backward({"attention", cu_seqlens_q, cu_seqlens_k, max_seqlen_q, max_seqlen_k, causal,
            window_left, window_right, mask, scale, dropout_p, seed},
           grad, {q, k, v}, out, statistics, grads);
  return {grads.q, grads.k, grads.v};
}

Two multi_head_attention(const Tensor& q, const OptionalTensor& kv, int64_t heads,
                         const OptionalTensor& cu_seqlens_q, const OptionalTensor& cu_seqlens_k,
                         int64_t max_seqlen_q, int64_t max_seqlen_k, bool causal,
                         int64_t window_left, int64_t window_right, const OptionalTensor& mask,
                         double scale, double dropout_p, const OptionalTensor& seed) {
  constexpr const char* op = "multi_head_attention";
  const auto [out, statistics] =
      forward({op, cu_seqlens_q, cu_seqlens_k, max_seqlen_q, max_seqlen_k, causal, window_left,
               window_right, mask, scale, dropout_p, seed},
              split(op, q, kv, heads));
  return {out.flatten(-2), statistics};
}

Two multi_head_attention_backward(const Tensor& grad, const Tensor& q, const OptionalTensor& kv,
                                  const Tensor& out, const Tensor& statistics, int64_t heads,
                                  const OptionalTensor& cu_seqlens_q,
                                  const OptionalTensor& cu_seqlens_k, int64_t max_seqlen_q,
                                  int64_t max_seqlen_k, bool causal, int64_t window_left,
                                  int64_t window_right, const OptionalTensor& mask, double scale,
                                  double dropout_p, const OptionalTensor& seed) {
  constexpr const char* op = "multi_head_attention";
  const Tensor grad_q = empty(q.sizes(), q.options());
  const OptionalTensor grad_kv =
      kv.has_value() ? OptionalTensor(empty(kv->sizes(), kv->options())) : std::nullopt;
  backward({op, cu_seqlens_q, cu_seqlens_k, max_seqlen_q, max_seqlen_k, causal, window_left,
            window_right, mask, scale, dropout_p, seed},
           part(grad, 0, 1, heads), split(op, q, kv, heads), part(out, 0, 1, heads), statistics,
           split(op, grad_q, grad_kv, heads));
  return {grad_q, grad_kv.has_value() ? *grad_kv : nothing(q)};
}

Tensor attention_weights(const Tensor& q_in, const Tensor& k_in, const OptionalTensor& cu_seqlens_q,
                         const OptionalTensor& cu_seqlens_k, int64_t max_seqlen_q,
                         int64_t max_seqlen_k, bool causal, int64_t window_left,
                         int64_t window_right, const OptionalTensor& mask, double scale,
                         double dropout_p, const OptionalTensor& seed) {
  const Call call({"attention_weights", cu_seqlens_q, cu_seqlens_k, max_seqlen_q, max_seqlen_k,
                   causal, window_left, window_right, mask, scale, dropout_p, seed},
                  q_in, k_in, nullptr);
  const Tensor q = with_unit_columns(q_in), k = with_unit_columns(k_in);
  Tensor weights =
      at::empty({call.shape.batch, call.shape.heads, call.max_q, call.max_k}, q.options());
  on(q).attention_weights_forward({call.shape, call.rows_of(q), call.rows_of(k),
                                   weights.mutable_data_ptr(), call.max_q, call.max_k});
  return weights;
}

Two attention_weights_backward(const Tensor& grad, const Tensor& q_in, const Tensor& k_in,
                               const OptionalTensor& cu_seqlens_q,
                               const OptionalTensor& cu_seqlens_k, int64_t max_seqlen_q,
                               int64_t max_seqlen_k, bool causal, int64_t window_left,
                               int64_t window_right, const OptionalTensor& mask, double scale,
                               double dropout_p, const OptionalTensor& seed) {
  const Call call({"attention_weights", cu_seqlens_q, cu_seqlens_k, max_seqlen_q, max_seqlen_k,
                   causal, window_left, window_right, mask, scale, dropout_p, seed},
                  q_in, k_in, nullptr);
  check_kept("attention_weights", "grad", grad,
             {call.shape.batch, call.shape.heads, call.max_q, call.max_k}, q_in.scalar_type(),
             q_in);
  const Tensor q = with_unit_columns(q_in), k = with_unit_columns(k_in), g = grad.contiguous();
  Tensor grad_q = at::empty(q.sizes(), q.options()), grad_k = at::empty(k.sizes(), k.options());
  on(q).attention_weights_backward({call.shape, call.rows_of(q), call.rows_of(k),
                                    g.const_data_ptr(), call.max_q, call.max_k,
                                    call.rows_of(grad_q), call.rows_of(grad_k)});
  return {grad_q, grad_k};
}

}  // namespace pt::ops
