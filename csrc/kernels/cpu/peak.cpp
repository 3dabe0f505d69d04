// Multiply-adds on registers: as many chains as the register tile has, so that their latency is
// hidden, and no memory.
#include "../peak.h"

#include "parallel.h"
#include "tile.h"

PT_ISA_BEGIN

void peak(const PeakArgs& args);

namespace {

template <class T>
void run(const PeakArgs& args) {
  using V = Vector<T>;
  constexpr int kChains = Tile<T>::kRows * Tile<T>::kVectors;
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
      for (int i = 0; i < kChains; i++) sums[i] = V::fma(sums[i], factor, factor);
    }
    V total = V::zero();
    PT_UNROLL
    for (int i = 0; i < kChains; i++) total = total + sums[i];
    total.store(results + thread * V::size);
  });
  *args.operations = 2.0 * double(kChains) * V::size * double(args.rounds) * double(threads);
}

}  // namespace

void peak(const PeakArgs& args) {
  if (args.type == Type::float64) {
    run<double>(args);
  } else {
    run<float>(args);
  }
}

PT_ISA_END
