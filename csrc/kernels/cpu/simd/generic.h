// float32 vectors for any machine: the compiler's vector extension at 128 bits.
#pragma once

#include "portable.h"

PT_ISA_BEGIN
namespace {

using FloatVector = PortableVector<float, 16>;

// 6 x 2 accumulators suit the 16 registers of SSE2 as well as the 32 of Neon.
constexpr int kFloatTileRows = 6;
constexpr int kVectorBytes = 16;

typedef uint64_t WordLanes __attribute__((vector_size(16)));
// Product of the low 32 bits of each lane.
PT_INLINE WordLanes multiply_low_halves(WordLanes a, WordLanes b) {
  return (a & 0xffffffffu) * (b & 0xffffffffu);
}

// {a0, b0, a1, b1}, in two vectors.
PT_INLINE void interleave_lanes(WordLanes a, WordLanes b, WordLanes& first, WordLanes& second) {
  first = WordLanes{a[0], b[0]};
  second = WordLanes{a[1], b[1]};
}

}  // namespace
PT_ISA_END
