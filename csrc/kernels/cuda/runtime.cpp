#include "runtime.h"

#include <cuda_runtime_api.h>

namespace pt::cuda {

namespace {

// 0 where there is no such device.
int attribute(cudaDeviceAttr which, int device) {
  int value = 0;
  if (cudaDeviceGetAttribute(&value, which, device) == cudaSuccess) return value;
  cudaGetLastError();  // or the next call of anybody would return it
  return 0;
}

}  // namespace

Capability capability(int device) {
  return {attribute(cudaDevAttrComputeCapabilityMajor, device),
          attribute(cudaDevAttrComputeCapabilityMinor, device)};
}

int multiprocessors(int device) { return attribute(cudaDevAttrMultiProcessorCount, device); }

const char* error_text(int code) { return cudaGetErrorString(cudaError_t(code)); }

int toolkit_version() { return CUDART_VERSION; }

}  // namespace pt::cuda
