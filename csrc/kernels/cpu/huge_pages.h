// Memory on huge pages, where the system has them and is asked for them; in scratch.cpp.
#pragma once

#include <cstddef>

namespace pt {

constexpr size_t kHugePage = size_t(2) << 20;

// For the huge pages that lie whole in fresh memory. Advice: where it is not taken, nothing is
// lost.
void advise_huge_pages(void* memory, size_t bytes);

}  // namespace pt
