// Aliases of one weight with several uses. Torch's engine adds gradients that meet two at a time,
// each time into new memory where one of them is sparse; here all of them meet in one node, which
// adds the sparse ones to the rows of the dense one.
#include "autograd.h"

namespace pt::autograd {
namespace {

// Whether nobody else sees this tensor's memory, so that it may become the sum.
bool owned(const Tensor& gradient) {
  return gradient.use_count() == 1 && gradient.storage().use_count() == 1 &&
         gradient.is_non_overlapping_and_dense();
}

// The gradient to which the others are added.
const Tensor* densest(const variable_list& gradients) {
  const Tensor* found = nullptr;
  for (const Tensor& gradient : gradients) {
    if (!gradient.defined()) continue;
    if (!gradient.is_sparse()) return &gradient;
    found = &gradient;
  }
  return found;
}

struct Tied : Function<Tied> {
  static variable_list forward(AutogradContext* ctx, const Tensor& weight, int64_t uses) {
    ctx->set_materialize_grads(false);
    return variable_list(uses, weight);
  }

  static variable_list backward(AutogradContext*, const variable_list& gradients) {
    check_first_derivative("tied");
    const at::AutoDispatchBelowADInplaceOrView below;
    const Tensor* first = densest(gradients);
    if (first == nullptr) return variable_list(2);
    Tensor sum = first->is_sparse() ? first->to_dense() : owned(*first) ? *first : first->clone();
    for (const Tensor& gradient : gradients) {
      if (gradient.defined() && &gradient != first) sum.add_(gradient);
    }
    return {sum, Tensor()};
  }
};

std::vector<Tensor> tied(const Tensor& weight, int64_t uses) { return Tied::apply(weight, uses); }

}  // namespace

TORCH_LIBRARY_IMPL(pytransformer, Autograd, m) { m.impl("tied", tied); }

}  // namespace pt::autograd
