// Starting kernels as csrc/kernels/cuda/launch.h does, on the CPU. A kernel that does something
// wrong ends in std::runtime_error rather than in a status.
#pragma once

#include "../../csrc/kernels/cuda/kernels.h"
#include "language.h"

namespace pt::cuda {

template <class... Parameters, class... Arguments>
Status launch(const char* name, void (*kernel)(Parameters...), dim3 grid, dim3 block,
              size_t shared_bytes, const Queue&, const Arguments&... arguments) {
  const auto call = [&] { kernel(static_cast<Parameters>(arguments)...); };
  on_host::run_grid(
      name, grid, block, shared_bytes,
      [](const void* context) { (*static_cast<decltype(call)*>(context))(); }, &call);
  return {name, 0};
}

}  // namespace pt::cuda
