// Questions to CUDA's runtime, for code that does not see its headers.
#pragma once

namespace pt::cuda {

struct Capability {
  int major, minor;
};
// {0, 0} where there is no such device.
Capability capability(int device);
int multiprocessors(int device);

// What a cudaError_t means, in words.
const char* error_text(int code);

// The toolkit that this was built with, as 13000 for 13.0.
int toolkit_version();

}  // namespace pt::cuda
