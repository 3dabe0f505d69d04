// The one place where kernels meet threads: OpenMP, whose runtime and pool torch shares, so that
// torch.set_num_threads governs.
#pragma once

#include <omp.h>

#include <cstdint>

#include "arithmetic.h"
#include "isa.h"
#include "scratch.h"

PT_ISA_BEGIN
namespace {

PT_INLINE int64_t thread_count() { return omp_get_max_threads(); }

// Tasks dealt out in runs of neighbours, one for each thread. The same rows so fall to the same
// thread in one kernel after the other, and lie in its core's cache when it reads what it wrote:
// another core's cache costs as much as the arithmetic on small layers. Who is done helps the rest.
class Runs {
 public:
  Runs(int64_t tasks, int64_t threads) : tasks_(tasks), count_(min(min(tasks, threads), kMost)) {
    for (int64_t run = 0; run < count_; run++) next_[run].task = first(run);
  }

  // body(task) for what is left of every run, from the thread's own on.
  template <class Body>
  PT_INLINE void work(int64_t thread, const Body& body) {
    for (int64_t i = 0; i < count_; i++) {
      const int64_t run = (thread + i) % count_, end = first(run + 1);
      for (int64_t task = take(run); task < end; task = take(run)) body(task);
    }
  }

 private:
  static constexpr int64_t kMost = 64;  // beyond these, threads share
  struct alignas(64) Next {  // a line of the cache each
    int64_t task;
  };

  PT_INLINE int64_t first(int64_t run) const { return tasks_ * run / count_; }
  // The compiler's builtin: std::atomic's functions would be shared between instruction sets.
  PT_INLINE int64_t take(int64_t run) {
    return __atomic_fetch_add(&next_[run].task, 1, __ATOMIC_RELAXED);
  }

  const int64_t tasks_, count_;
  Next next_[kMost];
};

// body(task) for every task, each on some thread, in any order. The one failure a body knows is
// that scratch memory runs out; it must not leave the parallel region, and is raised again after
// it.
template <class Body>
PT_INLINE void parallel_for(int64_t tasks, const Body& body) {
  if (tasks == 1) {
    body(int64_t(0));
    return;
  }
  Runs runs(tasks, thread_count());
  bool failed = false;
#pragma omp parallel reduction(|| : failed)
  {
    try {
      runs.work(omp_get_thread_num(), body);
    } catch (...) {
      failed = true;
    }
  }
  if (failed) scratch::raise_exhausted();
}

// body(first, last) over [0, count) in pieces of at least `grain`, one per thread. For work whose
// result does not depend on where it is cut.
template <class Body>
PT_INLINE void parallel_ranges(int64_t count, int64_t grain, const Body& body) {
  if (count <= 0) return;
  const int64_t limit = pieces_of(count, grain);
  const int64_t pieces = min(limit, thread_count());
  parallel_for(pieces,
               [&](int64_t piece) { body(count * piece / pieces, count * (piece + 1) / pieces); });
}

}  // namespace
PT_ISA_END
