#include "memory.h"

#include <cuda_runtime_api.h>

#include <cstdlib>
#include <stdexcept>
#include <string>

#include "pool.h"

namespace pt::test {

namespace {

// One kind of memory.
class Memory {
 public:
  using Release = cudaError_t (*)(void* piece);
  Memory(Pool::Source allocate, Release release)
      : allocate_(allocate), release_(release), pool_(allocate) {}

  void* take(size_t bytes) {
    const size_t some = bytes == 0 ? 1 : bytes;
    return own_allocations_ ? allocate_(some) : pool_.take(some);
  }
  void give(void* piece, size_t bytes) {
    if (own_allocations_) {
      check_cuda("free", release_(piece));
    } else {
      pool_.give(piece, bytes == 0 ? 1 : bytes);
    }
  }

 private:
  const Pool::Source allocate_;
  const Release release_;
  const bool own_allocations_ = std::getenv("PT_TEST_OWN_ALLOCATIONS") != nullptr;
  Pool pool_;
};

// At the same address on the device: every 64-bit system addresses both as one.
void* allocate_mapped(size_t bytes) {
  void* piece = nullptr;
  check_cuda("cudaHostAlloc",
             cudaHostAlloc(&piece, bytes, cudaHostAllocMapped | cudaHostAllocPortable));
  return piece;
}
void* allocate_device(size_t bytes) {
  void* piece = nullptr;
  check_cuda("cudaMalloc", cudaMalloc(&piece, bytes));
  return piece;
}

// Never destroyed: what is freed after main goes here too, and CUDA may be gone by then.
Memory& mapped() {
  static auto& memory = *new Memory(allocate_mapped, cudaFreeHost);
  return memory;
}
Memory& device() {
  static auto& memory = *new Memory(allocate_device, cudaFree);
  return memory;
}

}  // namespace

void check_cuda(const char* what, int code) {
  const auto error = cudaError_t(code);
  if (error == cudaSuccess) return;
  throw std::runtime_error(std::string(what) + ": " + cudaGetErrorName(error) + ", " +
                           cudaGetErrorString(error));
}

void* take_mapped(size_t bytes) { return mapped().take(bytes); }
void give_mapped(void* piece, size_t bytes) { mapped().give(piece, bytes); }
void* take_device(size_t bytes) { return device().take(bytes); }
void give_device(void* piece, size_t bytes) { device().give(piece, bytes); }

}  // namespace pt::test
