// Whole numbers and constants that kernels share.
#pragma once

#include <cstdint>

#include "isa.h"

PT_ISA_BEGIN
namespace {

PT_INLINE constexpr int64_t min(int64_t a, int64_t b) { return a < b ? a : b; }
PT_INLINE constexpr int64_t max(int64_t a, int64_t b) { return a > b ? a : b; }
// How many pieces of `size` cover n.
PT_INLINE constexpr int64_t pieces_of(int64_t n, int64_t size) { return (n + size - 1) / size; }
PT_INLINE constexpr int64_t round_up(int64_t n, int64_t multiple) {
  return pieces_of(n, multiple) * multiple;
}

constexpr double kLog2e = 1.4426950408889634074;

}  // namespace
PT_ISA_END
