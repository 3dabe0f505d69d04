#include "device.h"

#ifdef PT_CUDA
#include "cuda_queue.h"
#endif

namespace pt::ops {

#ifdef PT_CUDA
#define PT_RUN(name, Args)                                                \
  void On::name(const Args& args) const {                                 \
    if (tensor_.is_cuda()) return run_on_cuda(tensor_, cuda::name, args); \
    kernels().name(args);                                                 \
  }
#else
// Checks have refused tensors of other devices than the CPU.
#define PT_RUN(name, Args) \
  void On::name(const Args& args) const { kernels().name(args); }
#endif
PT_FOR_EACH_CONTRACT(PT_RUN)
#undef PT_RUN

}  // namespace pt::ops
