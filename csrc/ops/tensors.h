// What every op needs between a tensor and a kernel: checks that name the argument and both values,
// and views without torch types.
#pragma once

#include <ATen/ATen.h>

#include <optional>
#include <string>

#include "../kernels/cpu/kernels.h"

namespace pt::ops {

using at::Tensor;
using OptionalTensor = std::optional<Tensor>;

// Raises ValueError, before anything is allocated.
#define PT_CHECK(condition, ...) TORCH_CHECK_VALUE(condition, __VA_ARGS__)

Type type_of(const Tensor& tensor);
// The type in which rows of this type are computed: float32, or float64 for float64.
at::ScalarType compute_type(at::ScalarType type);

// float32, bfloat16 or float64 on the CPU; float16 too on a CUDA device, where this build has the
// kernels for one.
void check_rows(const char* op, const char* name, const Tensor& tensor);
// The type of x, or float32 beside 16-bit rows; same device.
void check_parameter(const char* op, const char* name, const Tensor& tensor, const Tensor& x);
void check_vector(const char* op, const char* name, const Tensor& tensor, const Tensor& x,
                  int64_t size, const char* size_of);
void check_same(const char* op, const char* name, const Tensor& tensor, const char* other_name,
                const Tensor& other);
// What backward is given: the gradient of an output or what forward kept, of the rows' type or the
// arithmetic's.
void check_kept(const char* op, const char* name, const Tensor& tensor, at::IntArrayRef sizes,
                at::ScalarType type, const Tensor& rows);
// Whether arguments are checked by what they hold: always on the CPU. On other devices that means
// to wait for them, so PYTRANSFORMER_CHECK=1 has to ask for it; kernels stay within bounds anyway.
bool values_are_checked(const Tensor& tensor);
// int32 [batch + 1] from 0 to rows without a decrease.
void check_cu_seqlens(const char* op, const char* name, const Tensor& cu_seqlens,
                      const Tensor& rows, int64_t count);
// The longest sequence: `given`, or, where that is negative, counted, for which other devices than
// the CPU are waited for.
int64_t longest_sequence(const char* op, const char* name, int64_t given, const Tensor& cu_seqlens);

// Random words below it drop an element; 0 when nothing can be dropped.
uint64_t dropout_threshold(double p);
// Checks p and fills in the threshold and the scale; the seed, int64 [], is read when p > 0.
Dropout dropout_of(const char* op, double p, const OptionalTensor& seed);
Activation activation_of(const char* op, const std::string& name);

// x with its leading dimensions flattened to rows; a view where strides allow it.
Tensor as_rows(const Tensor& x);
// The tensor itself when its last dimension has unit stride, else a copy.
Tensor with_unit_columns(const Tensor& x);

// A 2-d tensor as a matrix operand. A float32 weight beside 16-bit rows is rounded on its way in.
Matrix matrix_of(const Tensor& tensor);
Matrix weight_of(const Tensor& weight, const Tensor& x);
// A contiguous 1-d tensor, or nothing.
Parameters parameters_of(const OptionalTensor& tensor);

// The sum of a vector on the CPU, from the first element to the last, in float64.
template <class T>
double sum_in_order(const Tensor& vector) {
  const T* values = vector.const_data_ptr<T>();
  double sum = 0;
  for (int64_t i = 0; i < vector.numel(); i++) sum += double(values[i]);
  return sum;
}

Tensor nothing(const Tensor& like);
// at::empty, for results that may be large: on the CPU on huge pages, since much of the time in
// which fresh memory is written for the first time goes by page, not by byte.
Tensor empty(at::IntArrayRef sizes, const at::TensorOptions& options);

}  // namespace pt::ops
