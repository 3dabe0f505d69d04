// top_log_probs and sum_of_squares.
#include <vector>

#include "device.h"
#include "ops.h"

namespace pt::ops {

Two top_log_probs(const Tensor& logits, int64_t k) {
  constexpr const char* op = "top_log_probs";
  check_rows(op, "logits", logits);
  PT_CHECK(logits.dim() == 2, op, ": logits has shape ", logits.sizes(),
           "; expected [rows, columns]");
  PT_CHECK(k >= 1 && k <= logits.size(1), op, ": k is ", k, "; it must be between 1 and ",
           logits.size(1), ", the columns of logits");
  const Tensor rows = with_unit_columns(logits);
  const auto options = logits.options().dtype(compute_type(logits.scalar_type()));
  Tensor values = at::empty({rows.size(0), k}, options);
  Tensor indices = at::empty({rows.size(0), k}, options.dtype(at::kLong));
  on(rows).top_log_probs({rows.size(0), rows.size(1), k, rows.const_data_ptr(), type_of(rows),
                          rows.stride(0), values.mutable_data_ptr(),
                          indices.mutable_data_ptr<int64_t>()});
  return {values.to(at::kFloat), indices};
}

Tensor sum_of_squares(at::TensorList tensors) {
  constexpr const char* op = "sum_of_squares";
  const at::Device device = tensors[0].device();
  for (const Tensor& tensor : tensors) {
    check_rows(op, "tensors", tensor);
    PT_CHECK(tensor.device() == device, op, ": tensors are on ", device, " and on ",
             tensor.device(), "; give those of one device");
  }
  std::vector<Tensor> flat;  // of what is not contiguous a copy, until the kernel is queued
  std::vector<SumOfSquaresArgs::Elements> elements;
  flat.reserve(tensors.size());
  elements.reserve(tensors.size());
  for (const Tensor& tensor : tensors) {
    const Tensor& same = flat.emplace_back(tensor.contiguous());
    elements.push_back({same.const_data_ptr(), same.numel(), type_of(same)});
  }
  Tensor sum = at::empty({}, tensors[0].options().dtype(at::kDouble));
  on(sum).sum_of_squares(
      {elements.data(), int64_t(elements.size()), sum.mutable_data_ptr<double>()});
  return sum;
}

}  // namespace pt::ops
