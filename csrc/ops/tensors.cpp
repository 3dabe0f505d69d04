#include "tensors.h"

#include <cmath>
#include <cstdlib>
#include <cstring>

#include "../kernels/cpu/huge_pages.h"

namespace pt::ops {

Type type_of(const Tensor& tensor) {
  switch (tensor.scalar_type()) {
    case at::kBFloat16:
      return Type::bfloat16;
    case at::kDouble:
      return Type::float64;
    case at::kHalf:
      return Type::float16;
    default:
      return Type::float32;
  }
}

at::ScalarType compute_type(at::ScalarType type) {
  return type == at::kDouble ? at::kDouble : at::kFloat;
}

namespace {

void check_device(const char* op, const char* name, const Tensor& tensor) {
#ifdef PT_CUDA
  PT_CHECK(tensor.is_cpu() || tensor.is_cuda(), op, ": ", name, " is on ", tensor.device(),
           "; expected a CPU or a CUDA device");
#else
  PT_CHECK(tensor.is_cpu(), op, ": ", name, " is on ", tensor.device(),
           ", but this build runs on the CPU alone; move it with .cpu()");
#endif
}

bool is_half(at::ScalarType type) { return type == at::kBFloat16 || type == at::kHalf; }

}  // namespace

void check_rows(const char* op, const char* name, const Tensor& tensor) {
  check_device(op, name, tensor);
  const at::ScalarType type = tensor.scalar_type();
  const bool anywhere = type == at::kFloat || type == at::kBFloat16 || type == at::kDouble;
  PT_CHECK(anywhere || (type == at::kHalf && tensor.is_cuda()), op, ": ", name, " is ", type,
           "; expected Float, BFloat16 or Double", tensor.is_cuda() ? ", or Half" : "");
}

void check_same(const char* op, const char* name, const Tensor& tensor, const char* other_name,
                const Tensor& other) {
  PT_CHECK(tensor.device() == other.device(), op, ": ", name, " is on ", tensor.device(), ", but ",
           other_name, " is on ", other.device());
  PT_CHECK(tensor.scalar_type() == other.scalar_type(), op, ": ", name, " is ",
           tensor.scalar_type(), ", but ", other_name, " is ", other.scalar_type());
}

void check_parameter(const char* op, const char* name, const Tensor& tensor, const Tensor& x) {
  PT_CHECK(tensor.device() == x.device(), op, ": ", name, " is on ", tensor.device(),
           ", but x is on ", x.device());
  const bool mixed = is_half(x.scalar_type()) && tensor.scalar_type() == at::kFloat;
  PT_CHECK(mixed || tensor.scalar_type() == x.scalar_type(), op, ": ", name, " is ",
           tensor.scalar_type(), ", but x is ", x.scalar_type(),
           "; give both the same type, or Float parameters to rows of 16 bits");
}

void check_vector(const char* op, const char* name, const Tensor& tensor, const Tensor& x,
                  int64_t size, const char* size_of) {
  check_parameter(op, name, tensor, x);
  PT_CHECK(tensor.dim() == 1 && tensor.size(0) == size, op, ": ", name, " has shape ",
           tensor.sizes(), "; expected [", size, "], ", size_of);
}

void check_kept(const char* op, const char* name, const Tensor& tensor, at::IntArrayRef sizes,
                at::ScalarType type, const Tensor& rows) {
  PT_CHECK(tensor.device() == rows.device(), op, ": ", name, " is on ", tensor.device(),
           ", but the rows are on ", rows.device());
  PT_CHECK(tensor.sizes() == sizes, op, ": ", name, " has shape ", tensor.sizes(), "; expected ",
           sizes);
  PT_CHECK(tensor.scalar_type() == type, op, ": ", name, " is ", tensor.scalar_type(),
           "; expected ", type);
}

bool values_are_checked(const Tensor& tensor) {
  static const bool asked = [] {
    const char* value = std::getenv("PYTRANSFORMER_CHECK");
    return value != nullptr && std::strcmp(value, "1") == 0;
  }();
  return asked || tensor.is_cpu();
}

void check_cu_seqlens(const char* op, const char* name, const Tensor& cu_seqlens,
                      const Tensor& rows, int64_t count) {
  PT_CHECK(cu_seqlens.device() == rows.device(), op, ": ", name, " is on ", cu_seqlens.device(),
           ", but the rows are on ", rows.device());
  PT_CHECK(cu_seqlens.scalar_type() == at::kInt, op, ": ", name, " is ", cu_seqlens.scalar_type(),
           "; expected Int (int32)");
  PT_CHECK(cu_seqlens.dim() == 1 && cu_seqlens.size(0) >= 1, op, ": ", name, " has shape ",
           cu_seqlens.sizes(), "; expected [batch + 1]");
  if (!values_are_checked(cu_seqlens)) return;
  const Tensor values = cu_seqlens.cpu();
  const auto ends = values.accessor<int32_t, 1>();
  const int64_t batch = cu_seqlens.size(0) - 1;
  PT_CHECK(ends[0] == 0, op, ": ", name, " starts at ", ends[0], "; it must start at 0");
  for (int64_t b = 0; b < batch; b++) {
    PT_CHECK(ends[b] <= ends[b + 1], op, ": ", name, " decreases from ", ends[b], " to ",
             ends[b + 1], " at index ", b + 1);
  }
  PT_CHECK(ends[batch] == count, op, ": ", name, " ends at ", ends[batch], ", but there are ",
           count, " rows");
}

int64_t longest_sequence(const char* op, const char* name, int64_t given,
                         const Tensor& cu_seqlens) {
  if (given >= 0 && !values_are_checked(cu_seqlens)) return given;
  const Tensor values = cu_seqlens.cpu();
  const auto ends = values.accessor<int32_t, 1>();
  int64_t longest = 0;
  for (int64_t b = 0; b + 1 < values.size(0); b++) {
    longest = std::max(longest, int64_t(ends[b + 1]) - ends[b]);
  }
  PT_CHECK(given < 0 || given >= longest, op, ": ", name, " is ", given,
           ", but the longest sequence has ", longest, " rows");
  return given < 0 ? longest : given;
}

uint64_t dropout_threshold(double p) { return static_cast<uint64_t>(std::floor(p * 4294967296.0)); }

Dropout dropout_of(const char* op, double p, const OptionalTensor& seed) {
  PT_CHECK(p >= 0.0 && p < 1.0, op, ": dropout_p is ", p, "; it must be at least 0 and below 1");
  Dropout dropout;
  if (p == 0.0) return dropout;
  PT_CHECK(seed.has_value() && seed->scalar_type() == at::kLong && seed->numel() == 1 &&
               seed->device().is_cpu(),
           op, ": seed must be one int64 on the CPU when dropout_p is ", p);
  dropout.seed = static_cast<uint64_t>(*seed->const_data_ptr<int64_t>());
  dropout.threshold = dropout_threshold(p);
  dropout.scale = 1.0 / (1.0 - p);
  return dropout;
}

Activation activation_of(const char* op, const std::string& name) {
  if (name == "relu") return Activation::relu;
  if (name == "gelu") return Activation::gelu;
  if (name == "silu") return Activation::silu;
  PT_CHECK(false, op, ": activation is '", name, "'; choose one of relu, gelu, silu");
}

Tensor as_rows(const Tensor& x) {
  if (x.dim() == 2) return x;
  const int64_t rows = c10::multiply_integers(x.sizes().slice(0, x.dim() - 1));
  return x.reshape({rows, x.size(-1)});
}

Tensor with_unit_columns(const Tensor& x) {
  return x.size(-1) <= 1 || x.stride(-1) == 1 ? x : x.contiguous();
}

Matrix matrix_of(const Tensor& tensor) {
  // A single column has any stride; a unit one takes the fast path.
  const int64_t cols = tensor.size(1) == 1 ? 1 : tensor.stride(1);
  return {tensor.const_data_ptr(), type_of(tensor), tensor.stride(0), cols};
}

Matrix weight_of(const Tensor& weight, const Tensor& x) {
  Matrix matrix = matrix_of(weight);
  matrix.round_to_bfloat16 = is_half(x.scalar_type()) && weight.scalar_type() == at::kFloat;
  return matrix;
}

Parameters parameters_of(const OptionalTensor& tensor) {
  if (!tensor.has_value()) return {};
  return {tensor->const_data_ptr(), type_of(*tensor)};
}

Tensor nothing(const Tensor& like) { return at::empty({0}, like.options()); }

Tensor empty(at::IntArrayRef sizes, const at::TensorOptions& options) {
  Tensor tensor = at::empty(sizes, options);
  if (tensor.is_cpu()) advise_huge_pages(tensor.mutable_data_ptr(), tensor.nbytes());
  return tensor;
}

}  // namespace pt::ops
