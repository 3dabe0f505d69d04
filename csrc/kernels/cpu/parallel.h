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

// body(task) for every task, each on some thread, in any order. The one failure a body knows is
// that scratch memory runs out; it must not leave the parallel region, and is raised again after
// it.
template <class Body>
PT_INLINE void parallel_for(int64_t tasks, const Body& body) {
  if (tasks == 1) {
    body(int64_t(0));
    return;
  }
  bool failed = false;
#pragma omp parallel for schedule(dynamic, 1) reduction(|| : failed)
  for (int64_t task = 0; task < tasks; task++) {
    try {
      body(task);
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
