// Memory for tests on a GPU: the host's, which the device reads and writes at the same addresses,
// and the device's own.
//
// Pieces come from large chunks, since CUDA's own allocations are slow. Where the environment has
// PT_TEST_OWN_ALLOCATIONS, each is one of them, of its very size: a tool that watches accesses then
// knows where it ends.
#pragma once

#include <cstddef>

namespace pt::test {

// Throws std::runtime_error with `what` and CUDA's words; `code` is a cudaError_t.
void check_cuda(const char* what, int code);

void* take_mapped(size_t bytes);
void give_mapped(void* piece, size_t bytes);
// At a multiple of 256 bytes.
void* take_device(size_t bytes);
void give_device(void* piece, size_t bytes);

// For containers of what kernels read and write.
template <class T>
struct MappedAllocator {
  using value_type = T;

  MappedAllocator() = default;
  template <class U>
  MappedAllocator(const MappedAllocator<U>&) {}

  T* allocate(size_t count) { return static_cast<T*>(take_mapped(count * sizeof(T))); }
  void deallocate(T* piece, size_t count) { give_mapped(piece, count * sizeof(T)); }
};
template <class T, class U>
bool operator==(const MappedAllocator<T>&, const MappedAllocator<U>&) {
  return true;
}
template <class T, class U>
bool operator!=(const MappedAllocator<T>&, const MappedAllocator<U>&) {
  return false;
}

}  // namespace pt::test
