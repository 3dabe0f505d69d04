#define PT_ISA generic
#include "scratch.h"

#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <vector>

namespace pt::scratch {
namespace {

constexpr size_t kAlignment = 64;
constexpr size_t kFirstBlock = size_t(1) << 16;

struct Free {
  void operator()(void* p) const { std::free(p); }
};

struct Block {
  std::unique_ptr<void, Free> memory;
  size_t size;
};

Block allocate(size_t size) {
  void* memory = std::aligned_alloc(kAlignment, size);
  if (memory == nullptr) raise_exhausted();
  return {std::unique_ptr<void, Free>(memory), size};
}

// Blocks never move while something lies in them; when the stack is empty again, several blocks
// give way to one of their total size, so that a steady workload uses one. That one is allocated
// by the next take: release runs in destructors and must not fail.
class Stack {
 public:
  Mark mark() const { return {current_, used_}; }

  void* take(size_t bytes) {
    const size_t size = (bytes + kAlignment - 1) / kAlignment * kAlignment;
    while (current_ < blocks_.size() && used_ + size > blocks_[current_].size) {
      current_++;
      used_ = 0;
    }
    if (current_ == blocks_.size()) {
      size_t next = blocks_.empty() ? wanted_ : kFirstBlock;
      while (next < size) next *= 2;
      blocks_.push_back(allocate(next));
      used_ = 0;
    }
    void* result = static_cast<char*>(blocks_[current_].memory.get()) + used_;
    used_ += size;
    return result;
  }

  void release(Mark mark) {
    current_ = mark.block;
    used_ = mark.used;
    if (current_ == 0 && used_ == 0 && blocks_.size() > 1) {
      wanted_ = 0;
      for (const Block& block : blocks_) wanted_ += block.size;
      blocks_.clear();
    }
  }

 private:
  std::vector<Block> blocks_;
  size_t current_ = 0, used_ = 0;
  size_t wanted_ = kFirstBlock;  // the size of the first block
};

thread_local Stack stack;

}  // namespace

Mark mark() { return stack.mark(); }
void* take(size_t bytes) { return stack.take(bytes); }
void release(Mark mark) { stack.release(mark); }
void raise_exhausted() {
  throw std::runtime_error("pytransformer: out of memory for a kernel's scratch space");
}

}  // namespace pt::scratch
