// linear_cross_entropy: for "mean" and "sum" the gradients are computed along with the loss, since
// the weight of every row is known then; for "none" backward computes the logits again.
#include "linear.h"
#include "ops.h"

namespace pt::ops {

namespace {

constexpr const char* kName = "linear_cross_entropy";
constexpr int64_t kAll = -1;  // classes: every row of the weight

// Returns how many targets count.
int64_t check_targets(const Tensor& targets, int64_t classes, int64_t ignore_index) {
  const auto values = targets.accessor<int64_t, 1>();
  int64_t counted = 0;
  for (int64_t i = 0; i < targets.size(0); i++) {
    if (values[i] == ignore_index) continue;
    PT_CHECK(values[i] >= 0 && values[i] < classes, kName, ": targets[", i, "] is ", values[i],
             "; it must be at least 0 and below ", classes, ", or ignore_index (", ignore_index,
             ")");
    counted++;
  }
  return counted;
}

int64_t check(const Tensor& x, const Tensor& weight, const Tensor& targets,
              const OptionalTensor& bias, double label_smoothing, int64_t ignore_index,
              int64_t classes) {
  check_rows(kName, "x", x);
  PT_CHECK(x.dim() == 2, kName, ": x has shape ", x.sizes(), "; expected [rows, columns]");
  check_linear(kName, "weight", weight, "bias", bias, x, x.size(1));
  PT_CHECK(weight.size(0) >= 1, kName, ": weight has no rows; the vocabulary is empty");
  PT_CHECK(classes >= 1 && classes <= weight.size(0), kName, ": classes is ", classes,
           "; it must be at least 1 and at most ", weight.size(0), ", the rows of weight");
  PT_CHECK(targets.device() == x.device(), kName, ": targets is on ", targets.device(),
           ", but x is on ", x.device());
  PT_CHECK(targets.scalar_type() == at::kLong, kName, ": targets is ", targets.scalar_type(),
           "; expected Long (int64)");
  PT_CHECK(targets.dim() == 1 && targets.size(0) == x.size(0), kName, ": targets has shape ",
           targets.sizes(), "; expected [", x.size(0), "], one for each row of x");
  PT_CHECK(label_smoothing >= 0.0 && label_smoothing <= 1.0, kName, ": label_smoothing is ",
           label_smoothing, "; it must be between 0 and 1");
  return check_targets(targets, classes, ignore_index);
}

LinearCrossEntropyArgs make_args(const Tensor& x, const Tensor& weight, const Tensor& targets,
                                 const OptionalTensor& bias, double label_smoothing,
                                 int64_t ignore_index, int64_t classes, Tensor& losses) {
  LinearCrossEntropyArgs args{};
  args.rows = x.size(0);
  args.columns = x.size(1);
  args.vocabulary = classes;
  args.x = matrix_of(x);
  args.weight = weight_of(weight, x);
  args.bias = parameters_of(bias);
  args.targets = targets.const_data_ptr<int64_t>();
  args.ignore_index = ignore_index;
  args.label_smoothing = label_smoothing;
  args.losses = losses.mutable_data_ptr();
  return args;
}

// A gradient of all the rows of a parameter, of which the loss fills the first.
Tensor gradient_like(const Tensor& parameter, int64_t classes) {
  Tensor gradient = empty(parameter.sizes(), parameter.options());
  gradient.slice(0, classes).zero_();
  return gradient;
}

// Gradients, allocated and entered into args.
Three gradients_of(const Tensor& x, const Tensor& weight, const OptionalTensor& bias,
                   LinearCrossEntropyArgs& args) {
  Tensor grad_x = empty(x.sizes(), x.options());
  Tensor grad_weight = gradient_like(weight, args.vocabulary);
  Tensor grad_bias = nothing(weight);
  args.grad_x = grad_x.mutable_data_ptr();
  args.grad_weight = grad_weight.mutable_data_ptr();
  if (bias.has_value()) {
    grad_bias = gradient_like(*bias, args.vocabulary);
    args.grad_bias = grad_bias.mutable_data_ptr();
  }
  return {grad_x, grad_weight, grad_bias};
}

// The sum in row order, in float64.
template <class T>
double sum_in_order(const Tensor& losses) {
  const T* values = losses.const_data_ptr<T>();
  double sum = 0;
  for (int64_t i = 0; i < losses.size(0); i++) sum += double(values[i]);
  return sum;
}

}  // namespace

Four linear_cross_entropy(const Tensor& x, const Tensor& weight, const Tensor& targets,
                          const OptionalTensor& bias, double label_smoothing, int64_t ignore_index,
                          const std::string& reduction, int64_t classes, bool gradients) {
  PT_CHECK(reduction == "mean" || reduction == "sum" || reduction == "none", kName,
           ": reduction is '", reduction, "'; choose one of mean, sum, none");
  const int64_t scored = classes == kAll ? weight.size(0) : classes;
  const int64_t counted = check(x, weight, targets, bias, label_smoothing, ignore_index, scored);
  const OptionalTensor added = contiguous_or_none(bias);
  const Tensor labels = targets.contiguous();
  const auto options = x.options().dtype(compute_type(x.scalar_type()));
  Tensor losses = empty({x.size(0)}, options);
  LinearCrossEntropyArgs args =
      make_args(x, weight, labels, added, label_smoothing, ignore_index, scored, losses);
  const double share = reduction == "mean" ? 1.0 / double(counted) : 1.0;
  // Without a counted row the mean is 0 / 0, as torch's; no row carries a gradient then.
  args.uniform_weight = counted > 0 ? share : 0.0;
  Three grads{nothing(x), nothing(weight), nothing(weight)};
  if (gradients && reduction != "none") grads = gradients_of(x, weight, added, args);
  kernels().linear_cross_entropy(args);
  Tensor loss = losses;
  if (reduction != "none") {
    const double sum =
        options.dtype() == at::kDouble ? sum_in_order<double>(losses) : sum_in_order<float>(losses);
    loss = at::scalar_tensor(reduction == "mean" ? sum / double(counted) : sum, options);
  }
  return {loss, std::get<0>(grads), std::get<1>(grads), std::get<2>(grads)};
}

Three linear_cross_entropy_backward(const Tensor& grad, const Tensor& x, const Tensor& weight,
                                    const Tensor& targets, const OptionalTensor& bias,
                                    double label_smoothing, int64_t ignore_index, int64_t classes) {
  const int64_t scored = classes == kAll ? weight.size(0) : classes;
  check(x, weight, targets, bias, label_smoothing, ignore_index, scored);
  check_kept(kName, "grad", grad, targets.sizes(), compute_type(x.scalar_type()));
  const OptionalTensor added = contiguous_or_none(bias);
  const Tensor labels = targets.contiguous(), row_weights = grad.contiguous();
  Tensor losses = empty({x.size(0)}, grad.options());
  LinearCrossEntropyArgs args =
      make_args(x, weight, labels, added, label_smoothing, ignore_index, scored, losses);
  args.row_weights = row_weights.const_data_ptr();
  const Three grads = gradients_of(x, weight, added, args);
  kernels().linear_cross_entropy(args);
  return grads;
}

}  // namespace pt::ops
