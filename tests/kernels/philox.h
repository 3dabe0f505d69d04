// Philox4x32-10 (Salmon et al. 2011) word by word, and the dropout multiplier it decides.
#pragma once

#include <array>
#include <cstdint>

#include "../../csrc/kernels/types.h"

namespace pt::test {

using Words = std::array<uint32_t, 4>;

inline Words philox(Words c, uint64_t seed) {
  uint32_t k0 = uint32_t(seed), k1 = uint32_t(seed >> 32);
  for (int round = 0; round < 10; round++) {
    const uint64_t p0 = uint64_t(0xD2511F53u) * c[0], p1 = uint64_t(0xCD9E8D57u) * c[2];
    c = {uint32_t(p1 >> 32) ^ c[1] ^ k0, uint32_t(p1), uint32_t(p0 >> 32) ^ c[3] ^ k1,
         uint32_t(p0)};
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return c;
}

// Of element `index` of the row that (c1, c2, c3) name.
inline double multiplier(const Dropout& dropout, int64_t index, int64_t c1, int64_t c2 = 0,
                         int64_t c3 = 0) {
  if (dropout.threshold == 0) return 1.0;
  const Words words =
      philox({uint32_t(index / 4), uint32_t(c1), uint32_t(c2), uint32_t(c3)}, dropout.seed);
  return words[size_t(index % 4)] >= dropout.threshold ? dropout.scale : 0.0;
}

inline Dropout dropout_of(double p, uint64_t seed) {
  if (p == 0.0) return {};
  return {seed, uint64_t(p * 4294967296.0), 1.0 / (1.0 - p)};
}

}  // namespace pt::test
