// Multiply-adds on registers: as many chains as the register tile has, so that their latency is
// hidden, and no memory.
#include "../peak.h"

#include "parallel.h"
#include "tile.h"

PT_ISA_BEGIN

void peak(const PeakArgs& args);

namespace {

template <class P>
void run(const PeakArgs& args) {
  using T = typename P::Word;
  using V = Vector<T>;
  constexpr int kChains = Tile<P>::kRows * Tile<P>::kVectors;
  const int64_t threads = thread_count();
  Scratch scratch;
  T* results = scratch.take<T>(threads * V::size);
  parallel_for(threads, [&](int64_t thread) {
    const V factor = V::broadcast(T(0.5));
    V sums[kChains];
    PT_UNROLL
    for (int i = 0; i < kChains; i++) sums[i] = V::broadcast(T(i));
    for (int64_t round = 0; round < args.rounds; round++) {
      PT_UNROLL
      for (int i = 0; i < kChains; i++) {
        // Through a factor where that can be: a constant product would be computed only once.
        sums[i] = P::kDepth == 1 ? P::multiply_add(sums[i], factor, factor)
                                 : P::multiply_add(factor, factor, sums[i]);
      }
    }
    V total = V::zero();
    PT_UNROLL
    for (int i = 0; i < kChains; i++) total = total + sums[i];
    total.store(results + thread * V::size);
  });
  *args.operations =
      2.0 * P::kDepth * double(kChains) * V::size * double(args.rounds) * double(threads);
}

}  // namespace

void peak(const PeakArgs& args) {
  with_storage(args.type, [&](auto stored) { run<ProductOf<decltype(stored)>>(args); });
}

PT_ISA_END
