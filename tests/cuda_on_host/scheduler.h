// The threads of one block and what they wait for.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "fiber.h"
#include "threads.h"

namespace pt::on_host {

// An asynchronous copy that no wait has covered yet; null `from` writes zeros.
struct Copy {
  void* to;
  const void* from;
  unsigned group;
};

// What the lanes of a warp do together: each parks with its argument, the last to arrive acts for
// all of them.
using Leader = void (*)(void* const* arguments, uint32_t mask);
struct Collective {
  uint32_t mask = 0, arrived = 0;
  Leader leader = nullptr;
  Site site{};
  void* arguments[32];
};

struct Warp {
  static constexpr int kGroups = 4;  // sets of lanes that may be at different instructions at once
  Collective groups[kGroups];
  uint32_t present = 0, exited = 0;
  void* order = nullptr;  // of memory, at the next barrier of the warp
};

struct Thread : Place {
  unsigned linear = 0;
  Warp* warp = nullptr;
  Fiber* fiber = nullptr;
  bool exited = false;
  Site waiting{};  // waiting.what is null while the thread may run
  std::vector<Copy> copies;
  unsigned groups = 0;  // of copies, committed
};

struct Barrier {
  Site site{};
  bool any = false, result = false;
  void* order = nullptr;
  std::vector<Thread*> waiting;
};

// One machine thread's block, reused for one block of the grid after another.
class Block {
 public:
  Block() = default;
  ~Block();
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;

  // Threads and shared memory of a launch.
  void prepare(dim3 dim, size_t shared_bytes);
  // Throws std::runtime_error.
  void run(const BlockPlace& place, uint64_t seed);

  void suspend(Thread& thread, const Site& site);
  void make_ready(Thread** woken, size_t count);  // shuffles them in place
  void exit(Thread& thread);
  [[noreturn]] void abandon(const std::string& error);

  std::vector<std::unique_ptr<Thread>> threads;
  std::vector<Warp> warps;
  Barrier barrier;
  void (*body)(const void* context) = nullptr;
  const void* context = nullptr;
  unsigned char* shared = nullptr;
  void* begin = nullptr;  // orders what happened before the block and its threads

 private:
  Thread* next();
  std::string deadlock() const;
  void renew_shared();
  void free_shared();
  uint64_t random();

  Fiber scheduler_;
  std::vector<std::unique_ptr<Fiber>> fibers_;
  std::vector<Thread*> ready_;  // the last of them goes next
  unsigned char* stacks_ = nullptr;
  size_t stacks_bytes_ = 0, shared_bytes_ = 0;
  size_t shared_mapped_ = 0;  // bytes, where it is no heap allocation
  uint64_t random_ = 1;
  unsigned runs_ = 0;
  int live_ = 0;
  std::string error_;
};

Thread& current();
Block& current_block();
std::string text_of(const Site& site);
bool same(const Site& a, const Site& b);

// The lanes in `mask` meet here. Different instructions of the same lanes are an error.
void warp_collective(uint32_t mask, Leader leader, void* argument, const Site& site);

enum class Count { products, matrix_conflicts, bytes_copied };
void count(Count what, uint64_t n = 1);

// An address of its own for one ordering of memory, never used before in this launch.
void* fresh_order();

}  // namespace pt::on_host
