// Every CUDA kernel's launcher. The contracts are those of the CPU, with pointers to memory of the
// device. Where a contract's sequences are packed, its lengths are those of the longest.
//
// No CUDA header is needed here: the tensor layer is compiled without any.
#pragma once

#include "../contracts.h"

struct CUstream_st;

namespace pt::cuda {

using Stream = CUstream_st*;

// Of the first launch that went wrong: its kernel and CUDA's own code (cudaError_t). Launchers
// neither wait for the device nor print.
struct Status {
  const char* kernel = nullptr;
  int code = 0;
  bool failed() const { return code != 0; }
};

// Where a launcher puts its work, and the memory that this work needs for itself.
class Queue {
 public:
  explicit Queue(Stream stream) : stream_(stream) {}
  virtual ~Queue() = default;
  Stream stream() const { return stream_; }
  // Multiprocessors that share the work: tiles are chosen for them, no result depends on them.
  virtual int multiprocessors() const { return 132; }
  // Device memory, at a multiple of 256 bytes, uninitialised, until the work queued after it is
  // done. Throws what its owner throws when there is none left.
  virtual void* take(size_t bytes) = 0;
  // A matrix product that is part of a kernel, by whoever is best at it.
  virtual Status multiply(const MatmulArgs& args) = 0;
  // sorted[n]: keys[n] in ascending order; places[i]: where sorted[i] stood, ascending among
  // equals.
  virtual void sort(const int64_t* keys, int64_t n, int64_t* sorted, int64_t* places) = 0;

 private:
  Stream stream_;
};

#define PT_DECLARE(name, Args) Status name(const Args& args, Queue& queue);
PT_FOR_EACH_CONTRACT(PT_DECLARE)
#undef PT_DECLARE

// The type in which a product's operands enter it: one of 16 bits where both of them do.
Type entering_type(const Matrix& a, const Matrix& b);

}  // namespace pt::cuda
