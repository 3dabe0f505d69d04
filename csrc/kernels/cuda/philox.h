// Dropout multipliers from Philox4x32-10 (Salmon et al. 2011), the same bits as on the CPU
// (csrc/kernels/cpu/philox.h): element i of a row belongs to counter (i / 4, c1, c2, c3) and takes
// its word i mod 4.
#pragma once

#include "device.h"

namespace pt::cuda {

struct Words {
  uint32_t at[4];

  // at[i] for an i that the compiler does not know: registers have no index.
  __device__ __forceinline__ uint32_t any(int i) const {
    const uint32_t low = i % 2 == 0 ? at[0] : at[1], high = i % 2 == 0 ? at[2] : at[3];
    return i < 2 ? low : high;
  }
};

__device__ __forceinline__ Words philox(uint64_t seed, uint32_t c0, uint32_t c1, uint32_t c2,
                                        uint32_t c3) {
  uint32_t k0 = uint32_t(seed), k1 = uint32_t(seed >> 32);
#pragma unroll
  for (int round = 0; round < 10; round++) {
    const uint64_t p0 = uint64_t(0xD2511F53u) * c0, p1 = uint64_t(0xCD9E8D57u) * c2;
    c0 = uint32_t(p1 >> 32) ^ c1 ^ k0;
    c1 = uint32_t(p1);
    c2 = uint32_t(p0 >> 32) ^ c3 ^ k1;
    c3 = uint32_t(p0);
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return {{c0, c1, c2, c3}};
}

template <class T>
__device__ __forceinline__ T multiplier_of(const Dropout& dropout, uint32_t word) {
  return word >= dropout.threshold ? T(dropout.scale) : T(0);
}

// keep[i] = the multiplier of element first + i of a row, first a multiple of kCount.
template <int kCount, class T>
__device__ __forceinline__ void dropout_multipliers(const Dropout& dropout, int64_t first,
                                                    int64_t row, T (&keep)[kCount]) {
  static_assert(kCount % 4 == 0 || kCount == 2 || kCount == 1);
  constexpr int kOfCounter = kCount < 4 ? kCount : 4;
#pragma unroll
  for (int i = 0; i < kCount; i += kOfCounter) {
    const Words words = philox(dropout.seed, uint32_t((first + i) / 4), uint32_t(row), 0, 0);
    const int word = int((first + i) % 4);
#pragma unroll
    for (int j = 0; j < kOfCounter; j++) {
      const uint32_t drawn = kOfCounter < 4 ? words.any(word + j) : words.at[j];
      keep[i + j] = multiplier_of<T>(dropout, drawn);
    }
  }
}

}  // namespace pt::cuda
