// top_log_probs and sum_of_squares.
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
  kernels().top_log_probs({rows.size(0), rows.size(1), k, rows.const_data_ptr(), type_of(rows),
                           rows.stride(0), values.mutable_data_ptr(),
                           indices.mutable_data_ptr<int64_t>()});
  return {values.to(at::kFloat), indices};
}

Tensor sum_of_squares(at::TensorList tensors) {
  double total = 0;
  for (const Tensor& tensor : tensors) {
    check_rows("sum_of_squares", "tensors", tensor);
    const Tensor flat = tensor.contiguous();
    double sum = 0;
    kernels().sum_of_squares({flat.numel(), flat.const_data_ptr(), type_of(flat), &sum});
    total += sum;
  }
  return at::scalar_tensor(total, at::TensorOptions().dtype(at::kDouble));
}

}  // namespace pt::ops
