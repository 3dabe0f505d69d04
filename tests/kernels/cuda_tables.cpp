// The CUDA kernels, run on the CPU (tests/cuda_on_host), as the tables that tests go through: one
// for each order in which the threads of a block take their turns. It takes the place of
// csrc/kernels/cpu/dispatch.cpp.
#include <cuda_on_host/threads.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <numeric>
#include <stdexcept>
#include <vector>

#include "../../csrc/kernels/cpu/kernels.h"
#include "../../csrc/kernels/cuda/kernels.h"

namespace pt {
namespace {

using on_host::Schedule;

// Every piece is a heap allocation of its own and holds NaN.
class HostQueue : public cuda::Queue {
 public:
  HostQueue() : Queue(nullptr) {}
  ~HostQueue() override {
    for (void* piece : pieces_) std::free(piece);
  }
  // The fewer, the larger the tiles that launchers choose for the small products of tests.
  int multiprocessors() const override { return 1; }
  void* take(size_t bytes) override {
    void* memory = nullptr;
    if (posix_memalign(&memory, 256, bytes == 0 ? 1 : bytes) != 0) throw std::bad_alloc();
    std::memset(memory, 0xff, bytes);
    pieces_.push_back(memory);
    return memory;
  }
  cuda::Status multiply(const MatmulArgs& args) override { return cuda::matmul(args, *this); }
  void sort(const int64_t* keys, int64_t n, int64_t* sorted, int64_t* places) override {
    std::iota(places, places + n, 0);
    std::stable_sort(places, places + n, [&](int64_t a, int64_t b) { return keys[a] < keys[b]; });
    for (int64_t i = 0; i < n; i++) sorted[i] = keys[places[i]];
  }

 private:
  std::vector<void*> pieces_;
};

template <Schedule kSchedule, auto kLaunch, class Args>
void run(const Args& args) {
  on_host::options().schedule = kSchedule;
  HostQueue queue;
  if (kLaunch(args, queue).failed()) throw std::runtime_error("a launch on the host failed");
}

template <Schedule kSchedule>
Kernels table(const char* name) {
  Kernels kernels{};
  kernels.isa = name;
#define PT_MEMBER(name, Args) kernels.name = run<kSchedule, cuda::name, Args>;
  PT_FOR_EACH_CONTRACT(PT_MEMBER)
#undef PT_MEMBER
  return kernels;
}

}  // namespace

int available_kernels(AvailableKernels (&tables)[kMaxIsas]) {
  [[maybe_unused]] static const Kernels forward = table<Schedule::forward>("cuda forward");
  [[maybe_unused]] static const Kernels reverse = table<Schedule::reverse>("cuda reverse");
  static const Kernels random = table<Schedule::random>("cuda random");
  int count = 0;
  tables[count++] = {&random, true};
#ifndef PT_TEST_ONE_SCHEDULE
  tables[count++] = {&forward, true};
  tables[count++] = {&reverse, true};
#endif
  return count;
}

}  // namespace pt
