// feed_forward (section 3.3 of the paper): two matrix products whose epilogues hold bias,
// activation and dropout. `hidden`, kept for backward, is the activated and dropped value for relu
// (its sign tells the slope) and the value before the activation for gelu and silu.
#include "device.h"
#include "linear.h"
#include "ops.h"

namespace pt::ops {

namespace {

constexpr const char* kName = "feed_forward";

// dropout(activation(pre)) once more, for activations that keep the value before.
Tensor activated_again(const Tensor& pre, Activation activation, const Dropout& dropout) {
  Tensor out = empty(pre.sizes(), pre.options());
  on(pre).activation_forward({pre.size(0), pre.size(1), pre.const_data_ptr(),
                              out.mutable_data_ptr(), type_of(pre), activation, dropout});
  return out;
}

void check_inputs(const Tensor& x, const Tensor& w1, const OptionalTensor& b1, const Tensor& w2,
                  const OptionalTensor& b2) {
  check_rows(kName, "x", x);
  PT_CHECK(x.dim() >= 1, kName, ": x has no dimensions; expected [..., in]");
  check_linear(kName, "w1", w1, "b1", b1, x, x.size(-1));
  check_linear(kName, "w2", w2, "b2", b2, x, w1.size(0));
}

void check_backward(const Tensor& grad, const Tensor& x, const Tensor& w1, const Tensor& w2,
                    const Tensor& hidden) {
  check_inputs(x, w1, std::nullopt, w2, std::nullopt);
  std::vector<int64_t> sizes = x.sizes().vec();
  sizes.back() = w2.size(0);
  check_kept(kName, "grad", grad, sizes, x.scalar_type(), x);
  check_kept(kName, "hidden", hidden, {as_rows(x).size(0), w1.size(0)}, x.scalar_type(), x);
}

}  // namespace

Two feed_forward(const Tensor& x, const Tensor& w1, const OptionalTensor& b1, const Tensor& w2,
                 const OptionalTensor& b2, const std::string& activation, double dropout_p,
                 const OptionalTensor& seed) {
  check_inputs(x, w1, b1, w2, b2);
  Epilogue first;
  first.activation = activation_of(kName, activation);
  first.dropout = dropout_of(kName, dropout_p, seed);
  const OptionalTensor bias1 = contiguous_or_none(b1), bias2 = contiguous_or_none(b2);
  first.bias = parameters_of(bias1);

  const Tensor rows = as_rows(x);
  Tensor hidden = empty({rows.size(0), w1.size(0)}, x.options());
  Tensor kept = hidden;
  if (first.activation != Activation::relu) {
    kept = empty(hidden.sizes(), hidden.options());
    first.preactivation = kept.mutable_data_ptr();
  }
  multiply(rows, w1, hidden, first);

  std::vector<int64_t> sizes = x.sizes().vec();
  sizes.back() = w2.size(0);
  Tensor out = empty({rows.size(0), w2.size(0)}, x.options());
  Epilogue second;
  second.bias = parameters_of(bias2);
  multiply(hidden, w2, out, second);
  return {out.view(sizes), kept};
}

Five feed_forward_backward(const Tensor& grad, const Tensor& x, const Tensor& w1, const Tensor& w2,
                           const Tensor& hidden, const std::string& activation, double dropout_p,
                           const OptionalTensor& seed, std::array<bool, 5> output_mask) {
  check_backward(grad, x, w1, w2, hidden);
  const Tensor rows = as_rows(x), g = as_rows(grad);
  Epilogue through;
  through.activation = activation_of(kName, activation);
  through.dropout = dropout_of(kName, dropout_p, seed);
  through.saved = hidden.const_data_ptr();
  Tensor grad_x = nothing(x), grad_w1 = nothing(w1), grad_b1 = nothing(w1), grad_w2 = nothing(w2),
         grad_b2 = nothing(w2);
  if (output_mask[3]) {
    const Tensor active = through.activation == Activation::relu
                              ? hidden
                              : activated_again(hidden, through.activation, through.dropout);
    grad_w2 = weight_gradient(g, active, w2);
  }
  if (output_mask[4]) grad_b2 = bias_gradient(g, w2.scalar_type());
  if (output_mask[0] || output_mask[1] || output_mask[2]) {
    Tensor grad_hidden = empty(hidden.sizes(), hidden.options());
    multiply_back(g, w2, grad_hidden, through);
    if (output_mask[0]) {
      grad_x = empty(rows.sizes(), x.options());
      multiply_back(grad_hidden, w1, grad_x, {});
      grad_x = grad_x.view(x.sizes());
    }
    if (output_mask[1]) grad_w1 = weight_gradient(grad_hidden, rows, w1);
    if (output_mask[2]) grad_b1 = bias_gradient(grad_hidden, w1.scalar_type());
  }
  return {grad_x, grad_w1, grad_b1, grad_w2, grad_b2};
}

}  // namespace pt::ops
