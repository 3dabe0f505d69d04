// What the derivatives of ops have in common. A node keeps tensors and numbers in torch's context
// and calls the backward op through the dispatcher, so that torch.compile sees that call as well.
#pragma once

#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include "../ops/ops.h"

namespace pt::autograd {

using at::Tensor;
using ops::OptionalTensor;
using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::variable_list;

// The registered op with the signature of the function that implements it.
template <class Signature>
c10::TypedOperatorHandle<Signature> registered(const char* name) {
  return c10::Dispatcher::singleton().findSchemaOrThrow(name, "").typed<Signature>();
}

// For the start of every backward, whose own operations autograd does not record.
inline void check_first_derivative(const char* op) {
  TORCH_CHECK(
      !at::GradMode::is_enabled(), op,
      ": second derivatives (create_graph=True) are not available; pytransformer.reference.", op,
      " has them");
}

// Which tensors among forward's arguments need a gradient, asked for in their order: torch does
// not count those that are missing.
class Wanted {
 public:
  explicit Wanted(const AutogradContext* context) : context_(context) {}
  bool next(bool present = true) { return present && context_->needs_input_grad(edge_++); }

 private:
  const AutogradContext* context_;
  size_t edge_ = 0;
};

inline Tensor if_wanted(bool wanted, const Tensor& gradient) {
  return wanted ? gradient : Tensor();
}

inline OptionalTensor optional(const Tensor& tensor) {
  return tensor.defined() ? OptionalTensor(tensor) : std::nullopt;
}
inline Tensor tensor_or_none(const OptionalTensor& tensor) { return tensor.value_or(Tensor()); }

}  // namespace pt::autograd
