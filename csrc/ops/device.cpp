#include "device.h"

namespace pt::ops {

// Checks have refused tensors of other devices than the CPU.
#define PT_RUN(name, Args) \
  void On::name(const Args& args) const { kernels().name(args); }
PT_FOR_EACH_CONTRACT(PT_RUN)
#undef PT_RUN

}  // namespace pt::ops
