#define PT_ISA generic
#include "scratch.h"

#ifdef __linux__
#include <sys/mman.h>
#endif

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <vector>

#include "huge_pages.h"

namespace pt {

void advise_huge_pages([[maybe_unused]] void* memory, [[maybe_unused]] size_t bytes) {
#ifdef __linux__
  const uintptr_t begin = reinterpret_cast<uintptr_t>(memory);
  const uintptr_t first = (begin + kHugePage - 1) / kHugePage * kHugePage;
  const uintptr_t end = (begin + bytes) / kHugePage * kHugePage;
  if (first < end) madvise(reinterpret_cast<void*>(first), end - first, MADV_HUGEPAGE);
#endif
}

}  // namespace pt

namespace pt::scratch {
namespace {

constexpr size_t kAlignment = 64;
constexpr size_t kFirstBlock = size_t(1) << 16;

size_t rounded_up(size_t bytes, size_t to) { return (bytes + to - 1) / to * to; }

struct Free {
  void operator()(void* p) const { std::free(p); }
};

struct Block {
  std::unique_ptr<void, Free> memory;
  size_t size;
};

// Large blocks on huge pages where the system has them: kernels walk through them in long strides.
Block allocate(size_t size) {
  const size_t alignment = size >= kHugePage ? kHugePage : kAlignment;
  size = rounded_up(size, alignment);
  void* memory = std::aligned_alloc(alignment, size);
  if (memory == nullptr) raise_exhausted();
  advise_huge_pages(memory, size);
  return {std::unique_ptr<void, Free>(memory), size};
}

// Blocks never move while something lies in them; when the stack is empty again, several blocks
// give way to one of their total size, so that a steady workload uses one. That one is allocated
// by the next take: release runs in destructors and must not fail.
class Stack {
 public:
  Stack();
  ~Stack();

  Mark mark() {
    // Held while something lies here, so that nobody frees it.
    if (depth_++ == 0) {
      while (held_.exchange(true, std::memory_order_acquire)) {
      }
    }
    return {current_, used_};
  }

  void* take(size_t bytes) {
    const size_t size = rounded_up(bytes, kAlignment);
    while (current_ < blocks_.size() && used_ + size > blocks_[current_].size) {
      current_++;
      used_ = 0;
    }
    if (current_ == blocks_.size()) {
      size_t next = blocks_.empty() ? wanted_ : kFirstBlock;
      while (next < size) next *= 2;
      blocks_.push_back(allocate(next));
      bytes_ += blocks_.back().size;
      used_ = 0;
    }
    void* result = static_cast<char*>(blocks_[current_].memory.get()) + used_;
    used_ += size;
    return result;
  }

  void release(Mark mark) {
    current_ = mark.block;
    used_ = mark.used;
    if (--depth_ > 0) return;
    if (bytes_ > kMostKept || dropped_) {
      dropped_ = false;
      clear(kFirstBlock);
    } else if (blocks_.size() > 1) {
      clear(bytes_);
    }
    held_.store(false, std::memory_order_release);
  }

  // From any thread: at once, or when its own thread has finished with it.
  void drop() {
    if (held_.exchange(true, std::memory_order_acquire)) {
      dropped_ = true;
      return;
    }
    clear(kFirstBlock);
    held_.store(false, std::memory_order_release);
  }

  size_t bytes() const { return bytes_; }

 private:
  void clear(size_t wanted) {
    blocks_.clear();
    bytes_ = 0;
    wanted_ = wanted;
  }

  std::vector<Block> blocks_;
  size_t current_ = 0, used_ = 0;
  size_t wanted_ = kFirstBlock;  // the size of the first block
  int depth_ = 0;                // marks that have not been released
  std::atomic<bool> held_{false}, dropped_{false};
  std::atomic<size_t> bytes_{0};
};

// The stacks of all threads. Never destroyed: threads may end after everything else.
struct Registry {
  std::mutex mutex;
  std::vector<Stack*> stacks;
};
Registry& registry() {
  static Registry* all = new Registry;
  return *all;
}

Stack::Stack() {
  const std::lock_guard<std::mutex> lock(registry().mutex);
  registry().stacks.push_back(this);
}
Stack::~Stack() {
  const std::lock_guard<std::mutex> lock(registry().mutex);
  std::vector<Stack*>& stacks = registry().stacks;
  stacks.erase(std::find(stacks.begin(), stacks.end(), this));
}

thread_local Stack stack;

}  // namespace

Mark mark() { return stack.mark(); }
void* take(size_t bytes) { return stack.take(bytes); }
void release(Mark mark) { stack.release(mark); }
void raise_exhausted() {
  throw std::runtime_error("pytransformer: out of memory for a kernel's scratch space");
}

size_t kept() {
  const std::lock_guard<std::mutex> lock(registry().mutex);
  size_t bytes = 0;
  for (const Stack* each : registry().stacks) bytes += each->bytes();
  return bytes;
}

void drop_all() {
  const std::lock_guard<std::mutex> lock(registry().mutex);
  for (Stack* each : registry().stacks) each->drop();
}

}  // namespace pt::scratch
