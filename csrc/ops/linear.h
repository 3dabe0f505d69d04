// The pieces of a linear layer that the feed-forward layer shares.
#pragma once

#include "tensors.h"

namespace pt::ops {

void check_linear(const char* op, const char* weight_name, const Tensor& weight,
                  const char* bias_name, const OptionalTensor& bias, const Tensor& x,
                  int64_t columns);

// out[rows, out] = epilogue(x[rows, in] weight[out, in]^T); out contiguous.
void multiply(const Tensor& x, const Tensor& weight, Tensor& out, const Epilogue& epilogue);
// out[rows, in] = epilogue(grad[rows, out] weight[out, in]).
void multiply_back(const Tensor& grad, const Tensor& weight, Tensor& out, const Epilogue& epilogue);
// grad[rows, out]^T x[rows, in], of the weight's type.
Tensor weight_gradient(const Tensor& grad, const Tensor& x, const Tensor& weight);
// The sum of grad's rows.
Tensor bias_gradient(const Tensor& grad, at::ScalarType type);

inline OptionalTensor contiguous_or_none(const OptionalTensor& tensor) {
  return tensor.has_value() ? OptionalTensor(tensor->contiguous()) : std::nullopt;
}

}  // namespace pt::ops
