// Plain types shared by every kernel contract. No torch, no Python, no standard containers.
#pragma once

#include <cstddef>
#include <cstdint>

namespace pt {

// Brain floating point: the upper half of a float32. Arithmetic happens in float32.
struct bfloat16 {
  uint16_t bits;
};

// IEEE 754's binary16, on CUDA devices alone. Arithmetic happens in float32.
struct float16 {
  uint16_t bits;
};

enum class Type : uint8_t { float32, bfloat16, float64, float16 };

// Of 16 bits. Inlined always: it belongs to no instruction set.
__attribute__((always_inline)) inline bool is_half(Type type) {
  return type == Type::bfloat16 || type == Type::float16;
}

enum class Activation : uint8_t { none, relu, gelu, silu };

// The type in which rows of storage type S are computed: float, or double for double.
template <class S>
struct ComputeOf {
  using type = float;
};
template <>
struct ComputeOf<double> {
  using type = double;
};
template <class S>
using Compute = typename ComputeOf<S>::type;

// A read-only matrix of any element type; strides in elements.
struct Matrix {
  const void* data;
  Type type;
  int64_t row_stride;
  int64_t col_stride;
  // Round elements to bfloat16 on the way in: float32 weights that meet bfloat16 rows. On CUDA
  // devices, what meets float16 is rounded to that instead.
  bool round_to_bfloat16 = false;

  // Rows and columns exchanged. Inlined always: it belongs to no instruction set.
  __attribute__((always_inline)) Matrix transposed() const {
    return {data, type, col_stride, row_stride, round_to_bfloat16};
  }
};

// A vector of parameters, contiguous; null data means that there is none.
struct Parameters {
  const void* data = nullptr;
  Type type = Type::float32;
};

// Philox4x32-10 (Salmon et al. 2011, "Parallel Random Numbers: As Easy as 1, 2, 3") keyed by a
// seed. An element is kept when its word is at least `threshold`, and then multiplied by `scale`.
struct Dropout {
  uint64_t seed = 0;
  uint64_t threshold = 0;  // floor(p * 2^32); 0 keeps everything
  double scale = 1.0;      // 1 / (1 - p)
};

}  // namespace pt
