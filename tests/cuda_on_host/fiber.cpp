#include "fiber.h"

#include <cstdint>
#include <cstdlib>

#if !defined(__x86_64__)
#include <ucontext.h>
#endif

// Hooks of the sanitizers, all weak: one object serves programs with and without them.
extern "C" {
#define PT_WEAK __attribute__((weak))
PT_WEAK void __sanitizer_start_switch_fiber(void**, const void*, size_t);
PT_WEAK void __sanitizer_finish_switch_fiber(void*, const void**, size_t*);
PT_WEAK void __asan_unpoison_memory_region(const volatile void*, size_t);
PT_WEAK void* __asan_region_is_poisoned(void*, size_t);
PT_WEAK void* __tsan_create_fiber(unsigned);
PT_WEAK void __tsan_destroy_fiber(void*);
PT_WEAK void* __tsan_get_current_fiber();
PT_WEAK void __tsan_switch_to_fiber(void*, unsigned);
PT_WEAK void __tsan_acquire(void*);
PT_WEAK void __tsan_release(void*);
// By other names: gcc knows these as functions of its own.
PT_WEAK void pt_tsan_read_range(void*, unsigned long) __asm__("__tsan_read_range");
PT_WEAK void pt_tsan_write_range(void*, unsigned long) __asm__("__tsan_write_range");
PT_WEAK void AnnotateIgnoreReadsBegin(const char*, int);
PT_WEAK void AnnotateIgnoreReadsEnd(const char*, int);
PT_WEAK void AnnotateIgnoreWritesBegin(const char*, int);
PT_WEAK void AnnotateIgnoreWritesEnd(const char*, int);
}

#if defined(__x86_64__)
// Saves what a call must preserve on the stack that is left, and takes it from the one that is
// entered.
extern "C" void pt_switch_stack(void** left, void* entered);
asm(R"(
.text
.globl pt_switch_stack
.hidden pt_switch_stack
.type pt_switch_stack,@function
pt_switch_stack:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size pt_switch_stack,.-pt_switch_stack
)");
#endif

namespace pt::on_host {
namespace {

// Of the jump under way.
thread_local Fiber* left = nullptr;
thread_local Fiber* entered = nullptr;

}  // namespace

void Fiber::adopt() {
  if (__tsan_get_current_fiber != nullptr) sanitizer_thread_ = __tsan_get_current_fiber();
}

Fiber::Fiber(unsigned char* stack) : stack_(stack), stack_bytes_(kStack), owns_stack_(true) {
  if (__tsan_create_fiber != nullptr) sanitizer_thread_ = __tsan_create_fiber(0);
}

Fiber::~Fiber() {
  if (owns_stack_ && __tsan_destroy_fiber != nullptr) __tsan_destroy_fiber(sanitizer_thread_);
#if !defined(__x86_64__)
  delete static_cast<ucontext_t*>(stack_pointer_);
#endif
}

void Fiber::start(void (*entry)(), size_t shift) {
  // What an earlier life left behind on this stack is not there any more.
  if (__asan_unpoison_memory_region != nullptr) __asan_unpoison_memory_region(stack_, kStack);
  fake_stack_ = nullptr;
#if defined(__x86_64__)
  constexpr int kSaved = 6;  // registers that pt_switch_stack takes from the stack
  const uintptr_t top = (reinterpret_cast<uintptr_t>(stack_) + kStack - shift) & ~uintptr_t(15);
  void** frame = reinterpret_cast<void**>(top - 16) - kSaved;
  for (int i = 0; i < kSaved; i++) frame[i] = nullptr;
  frame[kSaved] = reinterpret_cast<void*>(entry);
  frame[kSaved + 1] = nullptr;  // where entry would return to
  stack_pointer_ = frame;
#else
  auto* context = static_cast<ucontext_t*>(stack_pointer_);
  if (context == nullptr) stack_pointer_ = context = new ucontext_t;
  getcontext(context);
  context->uc_stack.ss_sp = stack_;
  context->uc_stack.ss_size = kStack - shift;
  context->uc_link = nullptr;
  makecontext(context, entry, 0);
#endif
}

void Fiber::jump_from(Fiber& from, bool for_good) {
  if (__sanitizer_start_switch_fiber != nullptr) {
    __sanitizer_start_switch_fiber(for_good ? nullptr : &from.fake_stack_, stack_, stack_bytes_);
  }
  if (__tsan_switch_to_fiber != nullptr) {
    constexpr unsigned kNoOrder = 1;  // going from one to the other orders nothing
    __tsan_switch_to_fiber(sanitizer_thread_, kNoOrder);
  }
  left = &from;
  entered = this;
#if defined(__x86_64__)
  pt_switch_stack(&from.stack_pointer_, stack_pointer_);
#else
  if (from.stack_pointer_ == nullptr) from.stack_pointer_ = new ucontext_t;
  swapcontext(static_cast<ucontext_t*>(from.stack_pointer_),
              static_cast<ucontext_t*>(stack_pointer_));
#endif
  arrived();
}

void Fiber::arrived() {
  if (__sanitizer_finish_switch_fiber == nullptr) return;
  const void* bottom = nullptr;
  size_t bytes = 0;
  __sanitizer_finish_switch_fiber(entered->fake_stack_, &bottom, &bytes);
  if (left->owns_stack_) return;
  left->stack_ = static_cast<unsigned char*>(const_cast<void*>(bottom));
  left->stack_bytes_ = bytes;
}

void order_release(void* address) {
  if (__tsan_release != nullptr) __tsan_release(address);
}
void order_acquire(void* address) {
  if (__tsan_acquire != nullptr) __tsan_acquire(address);
}
bool watches_races() { return __tsan_acquire != nullptr; }

void watch_read(const void* from, size_t bytes) {
  if (pt_tsan_read_range != nullptr) pt_tsan_read_range(const_cast<void*>(from), bytes);
}
void watch_write(void* to, size_t bytes) {
  if (pt_tsan_write_range != nullptr) pt_tsan_write_range(to, bytes);
}
bool is_poisoned(const void* from, size_t bytes) {
  return __asan_region_is_poisoned != nullptr &&
         __asan_region_is_poisoned(const_cast<void*>(from), bytes) != nullptr;
}

Unwatched::Unwatched() {
  if (AnnotateIgnoreReadsBegin == nullptr) return;
  AnnotateIgnoreReadsBegin(__FILE__, __LINE__);
  AnnotateIgnoreWritesBegin(__FILE__, __LINE__);
}
Unwatched::~Unwatched() {
  if (AnnotateIgnoreReadsBegin == nullptr) return;
  AnnotateIgnoreReadsEnd(__FILE__, __LINE__);
  AnnotateIgnoreWritesEnd(__FILE__, __LINE__);
}

}  // namespace pt::on_host
