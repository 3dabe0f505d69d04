// CUDA kernels in torch's streams and torch's memory. Part of builds with CUDA alone.
#pragma once

#include <c10/core/DeviceGuard.h>

#include <vector>

#include "../kernels/cuda/kernels.h"
#include "tensors.h"

namespace pt::ops {

// The stream that is current on a tensor's device, and memory of torch's caching allocator, which
// hands it out again in the order of that stream: it may have it back once the work is queued.
class TorchQueue : public cuda::Queue {
 public:
  // Makes the device the current one. Throws where its kernels cannot run there.
  explicit TorchQueue(at::Device device);
  int multiprocessors() const override;
  void* take(size_t bytes) override;
  // A product with nothing around it but a bias is cuBLAS's, by way of torch: there is nothing to
  // win by fusing, and cuBLAS has a kernel for every shape and device.
  cuda::Status multiply(const MatmulArgs& args) override;
  void sort(const int64_t* keys, int64_t n, int64_t* sorted, int64_t* places) override;

 private:
  const c10::DeviceGuard guard_;
  const at::Device device_;
  std::vector<Tensor> pieces_;
};

void check_launched(const cuda::Status& status);

template <class Args>
void run_on_cuda(const Tensor& tensor, cuda::Status (*launch)(const Args&, cuda::Queue&),
                 const Args& args) {
  TorchQueue queue(tensor.device());
  check_launched(launch(args, queue));
}
inline void run_on_cuda(const Tensor& tensor, cuda::Status (*)(const MatmulArgs&, cuda::Queue&),
                        const MatmulArgs& args) {
  TorchQueue queue(tensor.device());
  check_launched(queue.multiply(args));
}

}  // namespace pt::ops
