// Numbers of 16 bits and float32. Each has internal linkage: kernels and the scheduler are compiled
// with different sanitizers.
#pragma once

#include <cstdint>
#include <cstring>

namespace pt::on_host {
namespace {

[[maybe_unused]] inline float bfloat16_bits_to_float(uint16_t bits) {
  const uint32_t wide = uint32_t(bits) << 16;
  float x;
  std::memcpy(&x, &wide, 4);
  return x;
}
// To the nearest, ties to even; every NaN becomes the one that the device's instruction gives.
[[maybe_unused]] inline uint16_t float_to_bfloat16_bits(float x) {
  uint32_t wide;
  std::memcpy(&wide, &x, 4);
  if (x != x) return 0x7fff;
  return uint16_t((wide + 0x7fff + (wide >> 16 & 1)) >> 16);
}

[[maybe_unused]] inline float float16_bits_to_float(uint16_t bits) {
  _Float16 x;
  std::memcpy(&x, &bits, 2);
  return float(x);
}
[[maybe_unused]] inline uint16_t float_to_float16_bits(float x) {
  const auto narrow = _Float16(x);
  uint16_t bits;
  std::memcpy(&bits, &narrow, 2);
  return bits;
}

}  // namespace
}  // namespace pt::on_host
