#include "ops.h"

namespace pt::ops {

std::vector<Tensor> tied(const Tensor& weight, int64_t uses) {
  PT_CHECK(uses >= 1, "tied: uses is ", uses, "; it must be at least 1");
  std::vector<Tensor> aliases;
  for (int64_t i = 0; i < uses; i++) aliases.push_back(weight.alias());
  return aliases;
}

}  // namespace pt::ops
