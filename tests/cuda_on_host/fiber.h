// A stack that can be left and come back to, known to the sanitizers.
#pragma once

#include <cstddef>

namespace pt::on_host {

class Fiber {
 public:
  static constexpr size_t kStack = 128 << 10;  // of each fiber, in bytes

  // Of the thread that runs the others, which has a stack already: the one that calls adopt.
  Fiber() = default;
  void adopt();
  // On a stack of kStack bytes.
  explicit Fiber(unsigned char* stack);
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  // The next jump here begins at entry, which must not return. `shift` moves the first frame down,
  // so that equal frames of many fibers do not meet in the same cache lines.
  void start(void (*entry)(), size_t shift);
  // Leaves `from`, which is running, and goes on here; returns when something jumps back. A `from`
  // that is left for good has gone for the sanitizers too.
  void jump_from(Fiber& from, bool for_good = false);
  // The first thing that an entry does.
  static void arrived();

 private:
  void* stack_pointer_ = nullptr;
  unsigned char* stack_ = nullptr;
  size_t stack_bytes_ = 0;
  void* fake_stack_ = nullptr;  // AddressSanitizer's
  void* sanitizer_thread_ = nullptr;  // ThreadSanitizer's
  bool owns_stack_ = false;
};

// What orders memory between fibers: everything before a release is seen after an acquire of the
// same address. For ThreadSanitizer alone; nothing happens without it.
void order_release(void* address);
void order_acquire(void* address);
bool watches_races();
// Accesses that the scheduler makes in a thread's name.
void watch_read(const void* from, size_t bytes);
void watch_write(void* to, size_t bytes);
// Whether AddressSanitizer says that this may not be read.
bool is_poisoned(const void* from, size_t bytes);

// While one lives, ThreadSanitizer looks away from library calls on the scheduler's own data.
class Unwatched {
 public:
  Unwatched();
  ~Unwatched();
  Unwatched(const Unwatched&) = delete;
  Unwatched& operator=(const Unwatched&) = delete;
};

}  // namespace pt::on_host
