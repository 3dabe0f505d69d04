// linear and its gradient: three matrix products and a column sum.
#include "linear.h"

#include "device.h"
#include "ops.h"

namespace pt::ops {

void check_linear(const char* op, const char* weight_name, const Tensor& weight,
                  const char* bias_name, const OptionalTensor& bias, const Tensor& x,
                  int64_t columns) {
  check_parameter(op, weight_name, weight, x);
  PT_CHECK(weight.dim() == 2, op, ": ", weight_name, " has shape ", weight.sizes(),
           "; expected [out, in]");
  PT_CHECK(weight.size(1) == columns, op, ": ", weight_name, " takes ", weight.size(1),
           " columns, but its input has ", columns);
  if (bias.has_value()) {
    check_vector(op, bias_name, *bias, x, weight.size(0), "one for each output column");
    check_same(op, bias_name, *bias, weight_name, weight);
  }
}

void multiply(const Tensor& x, const Tensor& weight, Tensor& out, const Epilogue& epilogue) {
  MatmulArgs args{};
  args.m = x.size(0);
  args.n = weight.size(0);
  args.k = weight.size(1);
  args.a = matrix_of(x);
  args.b = weight_of(weight, x).transposed();
  args.out = out.mutable_data_ptr();
  args.out_type = type_of(out);
  args.out_stride = args.n;
  args.epilogue = epilogue;
  on(x).matmul(args);
}

void multiply_back(const Tensor& grad, const Tensor& weight, Tensor& out,
                   const Epilogue& epilogue) {
  MatmulArgs args{};
  args.m = grad.size(0);
  args.n = weight.size(1);
  args.k = weight.size(0);
  args.a = matrix_of(grad);
  args.b = weight_of(weight, grad);
  args.out = out.mutable_data_ptr();
  args.out_type = type_of(out);
  args.out_stride = args.n;
  args.epilogue = epilogue;
  on(grad).matmul(args);
}

Tensor weight_gradient(const Tensor& grad, const Tensor& x, const Tensor& weight) {
  Tensor out = empty(weight.sizes(), weight.options());
  MatmulArgs args{};
  args.m = weight.size(0);
  args.n = weight.size(1);
  args.k = grad.size(0);
  args.a = matrix_of(grad).transposed();
  args.b = matrix_of(x);
  args.out = out.mutable_data_ptr();
  args.out_type = type_of(out);
  args.out_stride = args.n;
  on(grad).matmul(args);
  return out;
}

Tensor bias_gradient(const Tensor& grad, at::ScalarType type) {
  Tensor out = empty({grad.size(1)}, grad.options().dtype(type));
  const Tensor rows = with_unit_columns(grad);
  on(rows).column_sums({rows.size(0), rows.size(1), rows.const_data_ptr(), type_of(rows),
                        rows.stride(0), out.mutable_data_ptr(), type_of(out)});
  return out;
}

Tensor linear(const Tensor& x, const Tensor& weight, const OptionalTensor& bias) {
  check_rows("linear", "x", x);
  PT_CHECK(x.dim() >= 1, "linear: x has no dimensions; expected [..., in]");
  check_linear("linear", "weight", weight, "bias", bias, x, x.size(-1));
  std::vector<int64_t> sizes = x.sizes().vec();
  sizes.back() = weight.size(0);
  const Tensor rows = as_rows(x);
  const OptionalTensor added = contiguous_or_none(bias);
  Tensor out = empty({rows.size(0), weight.size(0)}, x.options());
  Epilogue epilogue;
  epilogue.bias = parameters_of(added);
  multiply(rows, weight, out, epilogue);
  return out.view(sizes);
}

namespace {

void check_backward(const char* op, const Tensor& grad, const Tensor& x, const Tensor& weight) {
  check_rows(op, "x", x);
  PT_CHECK(x.dim() >= 1, op, ": x has no dimensions; expected [..., in]");
  check_linear(op, "weight", weight, "bias", std::nullopt, x, x.size(-1));
  std::vector<int64_t> sizes = x.sizes().vec();
  sizes.back() = weight.size(0);
  check_kept(op, "grad", grad, sizes, x.scalar_type(), x);
}

}  // namespace

Three linear_backward(const Tensor& grad, const Tensor& x, const Tensor& weight,
                      std::array<bool, 3> output_mask) {
  check_backward("linear_backward", grad, x, weight);
  const Tensor rows = as_rows(x), g = as_rows(grad);
  Tensor grad_x = nothing(x), grad_weight = nothing(weight), grad_bias = nothing(weight);
  if (output_mask[0]) {
    grad_x = empty(rows.sizes(), x.options());
    multiply_back(g, weight, grad_x, {});
    grad_x = grad_x.view(x.sizes());
  }
  if (output_mask[1]) grad_weight = weight_gradient(g, rows, weight);
  if (output_mask[2]) grad_bias = bias_gradient(g, weight.scalar_type());
  return {grad_x, grad_weight, grad_bias};
}

}  // namespace pt::ops
