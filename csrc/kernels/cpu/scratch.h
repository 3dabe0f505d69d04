// Scratch memory of one thread: a stack that grows on demand and is reused from call to call. What
// a call leaves is kept, up to kMostKept for each thread, until drop_all.
//
// Compiled once for all instruction sets (scratch.cpp); the inline part lives in the namespace of
// the instruction set that includes it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "isa.h"

namespace pt::scratch {

struct Mark {
  size_t block, used;
};
Mark mark();
// 64-byte aligned, uninitialised; valid until the mark before it is released. Raises as below.
void* take(size_t bytes);
void release(Mark mark);
constexpr size_t kMostKept = size_t(64) << 20;
// The bytes kept by all threads, and giving them back: of a thread inside a kernel when that ends.
size_t kept();
void drop_all();
// Throws std::runtime_error: the machine has no memory left.
[[noreturn]] void raise_exhausted();

}  // namespace pt::scratch

PT_ISA_BEGIN
namespace {

// Everything taken through it is given back when it goes.
class Scratch {
 public:
  PT_INLINE Scratch() : mark_(scratch::mark()) {}
  PT_INLINE ~Scratch() { scratch::release(mark_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  template <class T>
  PT_INLINE T* take(int64_t count) {
    return static_cast<T*>(scratch::take(size_t(count) * sizeof(T)));
  }

 private:
  scratch::Mark mark_;
};

}  // namespace
PT_ISA_END
