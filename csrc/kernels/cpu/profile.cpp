#include "profile.h"

#include <chrono>
#include <mutex>

#include "kernels.h"

namespace pt {
namespace {

enum Index {
#define PT_INDEX(name, Args) k_##name,
  PT_FOR_EACH_KERNEL(PT_INDEX)
#undef PT_INDEX
};

std::mutex mutex;
KernelTime times[] = {
#define PT_TIME(name, Args) {#name, 0, 0.0},
    PT_FOR_EACH_KERNEL(PT_TIME)
#undef PT_TIME
};
const Kernels* measured = nullptr;  // what the timed table calls; null while nothing is timed

class Stopwatch {
 public:
  explicit Stopwatch(Index index) : index_(index) {}
  ~Stopwatch() {
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began_;
    const std::lock_guard<std::mutex> lock(mutex);
    times[index_].calls++;
    times[index_].seconds += took.count();
  }

 private:
  const Index index_;
  const std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
};

#define PT_TIMED(name, Args)             \
  void timed_##name(const Args& args) {  \
    const Stopwatch stopwatch(k_##name); \
    measured->name(args);                \
  }
PT_FOR_EACH_KERNEL(PT_TIMED)
#undef PT_TIMED

Kernels timed;

}  // namespace

void start_profile() {
  const std::lock_guard<std::mutex> lock(mutex);
  if (measured == nullptr) measured = &kernels();
  for (KernelTime& time : times) {
    time.calls = 0;
    time.seconds = 0;
  }
  timed = {measured->isa,
#define PT_MEMBER(name, Args) timed_##name,
           PT_FOR_EACH_KERNEL(PT_MEMBER)
#undef PT_MEMBER
  };
  use_kernels(timed);
}

const KernelTime* stop_profile(int& count) {
  const std::lock_guard<std::mutex> lock(mutex);
  if (measured != nullptr) use_kernels(*measured);
  measured = nullptr;
  count = int(sizeof(times) / sizeof(times[0]));
  return times;
}

}  // namespace pt
