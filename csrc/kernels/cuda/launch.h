// Starting kernels. tests/cuda_on_host/launch.h does the same on the CPU.
#pragma once

#include <cuda_runtime.h>

#include "kernels.h"

namespace pt::cuda {

// Queues one grid; the error is that of the launch, not of what the kernel does later.
template <class... Parameters, class... Arguments>
Status launch(const char* name, void (*kernel)(Parameters...), dim3 grid, dim3 block,
              size_t shared_bytes, const Queue& queue, const Arguments&... arguments) {
  constexpr size_t kWithoutAsking = 48 << 10;  // bytes of shared memory that any kernel may have
  if (shared_bytes > kWithoutAsking) {
    const cudaError_t refused =
        cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel),
                             cudaFuncAttributeMaxDynamicSharedMemorySize, int(shared_bytes));
    if (refused != cudaSuccess) return {name, int(refused)};
  }
  cudaLaunchConfig_t config{};
  config.gridDim = grid;
  config.blockDim = block;
  config.dynamicSmemBytes = shared_bytes;
  config.stream = queue.stream();
  const cudaError_t error =
      cudaLaunchKernelEx(&config, kernel, static_cast<Parameters>(arguments)...);
  if (error != cudaSuccess) cudaGetLastError();  // or the next call of anybody would return it
  return {name, int(error)};
}

}  // namespace pt::cuda
