// The kernels of the device that a tensor is on.
#pragma once

#include "tensors.h"

namespace pt::ops {

// on(x).matmul(args) runs a kernel where x is: on the CPU at once, on a CUDA device in the stream
// that is current there. What args point to is there too.
class On {
 public:
  explicit On(const Tensor& tensor) : tensor_(tensor) {}
#define PT_METHOD(name, Args) void name(const Args& args) const;
  PT_FOR_EACH_CONTRACT(PT_METHOD)
#undef PT_METHOD

 private:
  [[maybe_unused]] const Tensor& tensor_;
};
inline On on(const Tensor& tensor) { return On(tensor); }

}  // namespace pt::ops
