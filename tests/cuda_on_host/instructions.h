// The instructions of csrc/kernels/cuda/instructions.h, same names and meanings, on the CPU.
#pragma once

#include <cfloat>
#include <cmath>

#include "../../csrc/kernels/types.h"
#include "half.h"
#include "language.h"

namespace pt::cuda {

template <class Layout>
inline Layout& shared_layout() {
  if (sizeof(Layout) > on_host::block().shared_bytes) {
    on_host::fail("the launch gives less shared memory than the kernel's layout needs");
  }
  return *reinterpret_cast<Layout*>(on_host::block().shared);
}

inline void copy_async_16(void* to, const void* from, bool valid, PT_SITE_PARAMETERS) {
  on_host::copy_async_16(to, valid ? from : nullptr, PT_SITE("copy_async_16"));
}
inline void copy_async_commit() { on_host::copy_async_commit(); }
template <int kInFlight>
inline void copy_async_wait() {
  on_host::copy_async_wait(kInFlight);
}

inline void load_matrix_x4(uint32_t (&to)[4], const void* row, PT_SITE_PARAMETERS) {
  on_host::load_matrices(to, row, false, PT_SITE("load_matrix_x4"));
}
inline void load_matrix_x4_transposed(uint32_t (&to)[4], const void* row, PT_SITE_PARAMETERS) {
  on_host::load_matrices(to, row, true, PT_SITE("load_matrix_x4_transposed"));
}

template <class S>
inline void mma_m16n8k16(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1,
                         PT_SITE_PARAMETERS);
template <>
inline void mma_m16n8k16<bfloat16>(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1,
                                   const char* file, int line) {
  const uint32_t b[2] = {b0, b1};
  on_host::multiply_16x8x16(on_host::Half::bfloat16, d, a, b, PT_SITE("mma_m16n8k16"));
}
template <>
inline void mma_m16n8k16<float16>(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1,
                                  const char* file, int line) {
  const uint32_t b[2] = {b0, b1};
  on_host::multiply_16x8x16(on_host::Half::float16, d, a, b, PT_SITE("mma_m16n8k16"));
}

inline float to_float(bfloat16 x) { return on_host::bfloat16_bits_to_float(x.bits); }
inline float to_float(float16 x) { return on_host::float16_bits_to_float(x.bits); }
inline bfloat16 to_bfloat16(float x) { return {on_host::float_to_bfloat16_bits(x)}; }
inline float16 to_float16(float x) { return {on_host::float_to_float16_bits(x)}; }

template <class S>
inline uint32_t pair_of(float low, float high);
template <>
inline uint32_t pair_of<bfloat16>(float low, float high) {
  return to_bfloat16(low).bits | uint32_t(to_bfloat16(high).bits) << 16;
}
template <>
inline uint32_t pair_of<float16>(float low, float high) {
  return to_float16(low).bits | uint32_t(to_float16(high).bits) << 16;
}

inline float fast_exp2(float x) {
  const float y = std::exp2(x);
  return y < FLT_MIN ? 0.0f : y;  // NaN stays
}

}  // namespace pt::cuda
