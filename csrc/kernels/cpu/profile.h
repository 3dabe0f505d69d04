// How long each kernel takes: the table in use is replaced by one that looks at the clock.
#pragma once

#include <cstdint>

namespace pt {

struct KernelTime {
  const char* name;
  int64_t calls;
  double seconds;  // of the calling thread, from call to return
};

// Counts from zero. A kernel that calls another one counts for both's work itself.
void start_profile();
// What was counted since, `count` kernels; the table that was in use before is used again. While no
// kernel runs on another thread.
const KernelTime* stop_profile(int& count);

}  // namespace pt
