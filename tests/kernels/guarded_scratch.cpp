// Scratch memory for tests, in place of csrc/kernels/cpu/scratch.cpp: every piece is a heap
// allocation of its own, ends where it was asked to end, and holds NaN, so that AddressSanitizer
// sees an overrun and comparisons see what was read before it was written. It defines everything
// that scratch.cpp does, so that the linker has no use for the other one.
#define PT_ISA generic
#include "../../csrc/kernels/cpu/scratch.h"

#include <cstdlib>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <vector>

namespace pt::scratch {
namespace {

struct Free {
  void operator()(void* p) const { std::free(p); }
};
thread_local std::vector<std::unique_ptr<void, Free>> pieces;

}  // namespace

Mark mark() { return {pieces.size(), 0}; }

void* take(size_t bytes) {
  void* memory = nullptr;
  if (posix_memalign(&memory, 64, bytes == 0 ? 1 : bytes) != 0) raise_exhausted();
  std::memset(memory, 0xff, bytes);
  pieces.emplace_back(memory);
  return memory;
}

void release(Mark mark) { pieces.resize(mark.block); }

size_t kept() { return 0; }
void drop_all() {}

void raise_exhausted() { throw std::runtime_error("out of memory"); }

}  // namespace pt::scratch
