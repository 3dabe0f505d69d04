// linear_cross_entropy: for "mean" and "sum" the gradients are computed along with the loss, since
// the weight of every row is known then; for "none" backward computes the logits again.
#include <algorithm>
#include <cmath>

#include "device.h"
#include "linear.h"
#include "ops.h"

namespace pt::ops {

namespace {

constexpr const char* kName = "linear_cross_entropy";
constexpr int64_t kAll = -1;  // classes: every row of the weight

void check_targets(const Tensor& targets, int64_t classes, int64_t ignore_index) {
  if (!values_are_checked(targets)) return;
  const Tensor host = targets.cpu();
  const auto values = host.accessor<int64_t, 1>();
  for (int64_t i = 0; i < targets.size(0); i++) {
    PT_CHECK(values[i] == ignore_index || (values[i] >= 0 && values[i] < classes), kName,
             ": targets[", i, "] is ", values[i], "; it must be at least 0 and below ", classes,
             ", or ignore_index (", ignore_index, ")");
  }
}

void check(const Tensor& x, const Tensor& weight, const Tensor& targets, const OptionalTensor& bias,
           double label_smoothing, int64_t ignore_index, int64_t classes) {
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
  check_targets(targets, classes, ignore_index);
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

// What "mean" and "sum" make of the losses: a sum of float64, multiplied by the share of a row. On
// the CPU both are numbers; elsewhere they stay on the device, which nobody waits for.
class Reduction {
 public:
  Reduction(const std::string& name, const Tensor& targets, int64_t ignore_index,
            const at::TensorOptions& options)
      : options_(options) {
    PT_CHECK(name == "mean" || name == "sum" || name == "none", kName, ": reduction is '", name,
             "'; choose one of mean, sum, none");
    is_none_ = name == "none";
    if (name != "mean") return;
    if (targets.is_cpu()) {
      const int64_t* values = targets.const_data_ptr<int64_t>();
      share_ = 1.0 /
               double(targets.numel() - std::count(values, values + targets.numel(), ignore_index));
    } else {
      shares_ = targets.ne(ignore_index).sum().to(at::kDouble).reciprocal();
    }
  }

  bool is_none() const { return is_none_; }

  // Without a row that counts, the share is infinite; no row has a gradient then.
  void weigh(LinearCrossEntropyArgs& args) {
    args.uniform_weight = std::isfinite(share_) ? share_ : 0.0;
    if (!shares_.defined()) return;
    weights_ = shares_.to(options_.dtype()).expand({args.rows}).contiguous();
    args.row_weights = weights_.const_data_ptr();
  }

  Tensor operator()(const Tensor& losses) const {
    if (is_none_) return losses;
    if (losses.is_cpu()) {
      const bool wide = losses.scalar_type() == at::kDouble;
      const double sum = wide ? sum_in_order<double>(losses) : sum_in_order<float>(losses);
      return at::scalar_tensor(sum * share_, options_);
    }
    const Tensor sum = losses.sum(at::kDouble);
    return (shares_.defined() ? sum * shares_ : sum).to(options_.dtype());
  }

 private:
  bool is_none_;
  at::TensorOptions options_;
  double share_ = 1.0;
  Tensor shares_, weights_;
};

}  // namespace

Four linear_cross_entropy(const Tensor& x, const Tensor& weight, const Tensor& targets,
                          const OptionalTensor& bias, double label_smoothing, int64_t ignore_index,
                          const std::string& reduction, int64_t classes, bool gradients) {
  const int64_t scored = classes == kAll ? weight.size(0) : classes;
  check(x, weight, targets, bias, label_smoothing, ignore_index, scored);
  const OptionalTensor added = contiguous_or_none(bias);
  const Tensor labels = targets.contiguous();
  const auto options = x.options().dtype(compute_type(x.scalar_type()));
  Reduction reduce(reduction, labels, ignore_index, options);
  Tensor losses = empty({x.size(0)}, options);
  LinearCrossEntropyArgs args =
      make_args(x, weight, labels, added, label_smoothing, ignore_index, scored, losses);
  Three grads{nothing(x), nothing(weight), nothing(weight)};
  if (gradients && !reduce.is_none()) {
    reduce.weigh(args);
    grads = gradients_of(x, weight, added, args);
  }
  on(x).linear_cross_entropy(args);
  return {reduce(losses), std::get<0>(grads), std::get<1>(grads), std::get<2>(grads)};
}

Three linear_cross_entropy_backward(const Tensor& grad, const Tensor& x, const Tensor& weight,
                                    const Tensor& targets, const OptionalTensor& bias,
                                    double label_smoothing, int64_t ignore_index, int64_t classes) {
  const int64_t scored = classes == kAll ? weight.size(0) : classes;
  check(x, weight, targets, bias, label_smoothing, ignore_index, scored);
  check_kept(kName, "grad", grad, targets.sizes(), compute_type(x.scalar_type()), x);
  const OptionalTensor added = contiguous_or_none(bias);
  const Tensor labels = targets.contiguous(), row_weights = grad.contiguous();
  Tensor losses = empty({x.size(0)}, grad.options());
  LinearCrossEntropyArgs args =
      make_args(x, weight, labels, added, label_smoothing, ignore_index, scored, losses);
  args.row_weights = row_weights.const_data_ptr();
  const Three grads = gradients_of(x, weight, added, args);
  on(x).linear_cross_entropy(args);
  return grads;
}

}  // namespace pt::ops
