// layer_norm and add_layer_norm.
#include "device.h"
#include "ops.h"

namespace pt::ops {

namespace {

void check_norm(const char* op, const Tensor& x, const Tensor& weight, const Tensor& bias,
                double eps) {
  check_rows(op, "x", x);
  PT_CHECK(x.dim() >= 1 && x.size(-1) >= 1, op, ": x has shape ", x.sizes(),
           "; expected [..., columns] with at least 1 column");
  check_vector(op, "weight", weight, x, x.size(-1), "one for each column of x");
  check_vector(op, "bias", bias, x, x.size(-1), "one for each column of x");
  PT_CHECK(weight.scalar_type() == bias.scalar_type(), op, ": weight is ", weight.scalar_type(),
           ", but bias is ", bias.scalar_type());
  PT_CHECK(eps > 0, op, ": eps is ", eps, "; it must be more than 0");
}

LayerNormForwardArgs forward_args(const Tensor& rows, const Tensor& weight, const Tensor& bias,
                                  double eps, Tensor& out, Tensor& mean, Tensor& rstd) {
  LayerNormForwardArgs args{};
  args.rows = rows.size(0);
  args.columns = rows.size(1);
  args.type = type_of(rows);
  args.x = rows.const_data_ptr();
  args.x_stride = rows.stride(0);
  args.weight = parameters_of(weight);
  args.bias = parameters_of(bias);
  args.eps = eps;
  args.out = out.mutable_data_ptr();
  args.mean = mean.mutable_data_ptr();
  args.rstd = rstd.mutable_data_ptr();
  return args;
}

LayerNormBackwardArgs backward_args(const Tensor& grad, const Tensor& sum, const Tensor& weight,
                                    const Tensor& mean, const Tensor& rstd, Tensor& grad_sum,
                                    Tensor& grad_weight, Tensor& grad_bias) {
  LayerNormBackwardArgs args{};
  args.rows = sum.size(0);
  args.columns = sum.size(1);
  args.type = type_of(sum);
  args.grad_out = grad.const_data_ptr();
  args.grad_out_stride = grad.stride(0);
  args.sum = sum.const_data_ptr();
  args.sum_stride = sum.stride(0);
  args.weight = parameters_of(weight);
  args.mean = mean.const_data_ptr();
  args.rstd = rstd.const_data_ptr();
  args.grad_sum = grad_sum.mutable_data_ptr();
  args.grad_weight = grad_weight.mutable_data_ptr();
  args.grad_bias = grad_bias.mutable_data_ptr();
  return args;
}

Tensor rows_of(const Tensor& x) { return with_unit_columns(as_rows(x)); }

void check_backward(const char* op, const Tensor& grad, const Tensor& x, const Tensor& weight,
                    const Tensor& mean, const Tensor& rstd) {
  check_norm(op, x, weight, weight, 1.0);
  const int64_t rows = as_rows(x).size(0);
  check_kept(op, "grad", grad, x.sizes(), x.scalar_type(), x);
  check_kept(op, "mean", mean, {rows}, compute_type(x.scalar_type()), x);
  check_kept(op, "rstd", rstd, {rows}, compute_type(x.scalar_type()), x);
}

}  // namespace

Three layer_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, double eps) {
  check_norm("layer_norm", x, weight, bias, eps);
  const Tensor rows = rows_of(x), gain = weight.contiguous(), shift = bias.contiguous();
  const auto statistics = x.options().dtype(compute_type(x.scalar_type()));
  Tensor out = at::empty(rows.sizes(), x.options());
  Tensor mean = at::empty({rows.size(0)}, statistics), rstd = at::empty({rows.size(0)}, statistics);
  on(rows).layer_norm_forward(forward_args(rows, gain, shift, eps, out, mean, rstd));
  return {out.view(x.sizes()), mean, rstd};
}

Three layer_norm_backward(const Tensor& grad, const Tensor& x, const Tensor& weight,
                          const Tensor& mean, const Tensor& rstd) {
  check_backward("layer_norm", grad, x, weight, mean, rstd);
  const Tensor rows = rows_of(x), g = rows_of(grad), gain = weight.contiguous();
  Tensor grad_x = at::empty(rows.sizes(), x.options());
  Tensor grad_weight = at::empty_like(gain), grad_bias = at::empty_like(gain);
  on(rows).layer_norm_backward(
      backward_args(g, rows, gain, mean, rstd, grad_x, grad_weight, grad_bias));
  return {grad_x.view(x.sizes()), grad_weight, grad_bias};
}

Four add_layer_norm(const Tensor& x, const Tensor& residual, const Tensor& weight,
                    const Tensor& bias, double eps, double dropout_p, const OptionalTensor& seed) {
  constexpr const char* op = "add_layer_norm";
  check_norm(op, x, weight, bias, eps);
  check_same(op, "residual", residual, "x", x);
  PT_CHECK(residual.sizes() == x.sizes(), op, ": residual has shape ", residual.sizes(),
           ", but x has shape ", x.sizes());
  const Dropout dropout = dropout_of(op, dropout_p, seed);
  const Tensor rows = rows_of(x), added = rows_of(residual);
  const Tensor gain = weight.contiguous(), shift = bias.contiguous();
  const auto statistics = x.options().dtype(compute_type(x.scalar_type()));
  Tensor out = at::empty(rows.sizes(), x.options()), sum = at::empty(rows.sizes(), x.options());
  Tensor mean = at::empty({rows.size(0)}, statistics), rstd = at::empty({rows.size(0)}, statistics);
  LayerNormForwardArgs args = forward_args(rows, gain, shift, eps, out, mean, rstd);
  args.residual = added.const_data_ptr();
  args.residual_stride = added.stride(0);
  args.sum = sum.mutable_data_ptr();
  args.dropout = dropout;
  on(rows).layer_norm_forward(args);
  return {out.view(x.sizes()), sum.view(x.sizes()), mean, rstd};
}

Four add_layer_norm_backward(const Tensor& grad_out, const OptionalTensor& grad_sum,
                             const Tensor& sum, const Tensor& weight, const Tensor& mean,
                             const Tensor& rstd, double dropout_p, const OptionalTensor& seed) {
  check_backward("add_layer_norm", grad_out, sum, weight, mean, rstd);
  if (grad_sum.has_value()) {
    check_kept("add_layer_norm", "grad_sum", *grad_sum, sum.sizes(), sum.scalar_type(), sum);
  }
  const Tensor rows = rows_of(sum), g = rows_of(grad_out), gain = weight.contiguous();
  Tensor total = at::empty(rows.sizes(), sum.options());
  Tensor grad_weight = at::empty_like(gain), grad_bias = at::empty_like(gain);
  LayerNormBackwardArgs args =
      backward_args(g, rows, gain, mean, rstd, total, grad_weight, grad_bias);
  const Tensor extra = grad_sum.has_value() ? rows_of(*grad_sum) : Tensor();
  if (extra.defined()) {
    args.grad_sum_in = extra.const_data_ptr();
    args.grad_sum_in_stride = extra.stride(0);
  }
  args.dropout = dropout_of("add_layer_norm", dropout_p, seed);
  Tensor grad_x = nothing(sum);
  if (args.dropout.threshold > 0) {
    grad_x = at::empty(rows.sizes(), sum.options());
    args.grad_x = grad_x.mutable_data_ptr();
    grad_x = grad_x.view(sum.sizes());
  }
  on(rows).layer_norm_backward(args);
  return {total.view(sum.sizes()), grad_x, grad_weight, grad_bias};
}

}  // namespace pt::ops
