// Arrays of any element type, seen as float64; random numbers; tolerances.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "../../csrc/kernels/types.h"
#include "elements.h"

namespace pt::test {

#ifdef PT_TEST_CUDA
constexpr Type kTypes[] = {Type::float32, Type::bfloat16, Type::float64, Type::float16};
#else
constexpr Type kTypes[] = {Type::float32, Type::bfloat16, Type::float64};
#endif

inline int64_t bytes_of(Type type) { return type == Type::float64 ? 8 : is_half(type) ? 2 : 4; }
inline const char* name_of(Type type) {
  switch (type) {
    case Type::float64:
      return "float64";
    case Type::bfloat16:
      return "bfloat16";
    case Type::float16:
      return "float16";
    default:
      return "float32";
  }
}
inline const char* name_of(Activation activation) {
  switch (activation) {
    case Activation::relu:
      return "relu";
    case Activation::gelu:
      return "gelu";
    case Activation::silu:
      return "silu";
    default:
      return "none";
  }
}
// The type in which rows of this type are computed.
inline Type arithmetic_of(Type type) {
  return type == Type::float64 ? Type::float64 : Type::float32;
}
// Distance from 1 to the next number.
inline double epsilon_of(Type type) {
  switch (type) {
    case Type::float64:
      return 0x1p-52;
    case Type::bfloat16:
      return 0x1p-7;
    case Type::float16:
      return 0x1p-10;
    default:
      return 0x1p-23;
  }
}

inline float widened(bfloat16 x) {
  const uint32_t bits = uint32_t(x.bits) << 16;
  float out;
  std::memcpy(&out, &bits, 4);
  return out;
}

// Of a float32 to the nearest bfloat16, ties to even.
inline bfloat16 narrowed(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, 4);
  if (std::isnan(x)) return {uint16_t(bits >> 16 | 0x40)};
  const uint32_t below = bits & 0xffff, kept = bits >> 16;
  const bool up = below > 0x8000 || (below == 0x8000 && (kept & 1) == 1);
  return {uint16_t(kept + (up ? 1 : 0))};
}

inline double rounded(double x, Type type) {
  if (type == Type::float64) return x;
  if (type == Type::float32) return double(float(x));
#ifdef PT_TEST_CUDA
  if (type == Type::float16) return double(_Float16(float(x)));
#endif
  return double(widened(narrowed(float(x))));
}

// Kernels that move vectors have other ways for what does not begin at multiples of their size, and
// choose by several operands at once. `none`: everything begins one element late and rows lie
// awkwardly far apart; `all`: nothing does; `mixed`: each case is different, and so are its
// operands.
enum class Alignment { none, mixed, all };

class Placement {
 public:
  Alignment alignment = Alignment::none;

  // Of five mixed cases, four have one operand that begins late, each in its turn; in the fifth
  // each begins as a bit of the number says, which spreads over all bits (Knuth's multiplicative
  // hashing).
  void begin_case(int64_t number) {
    late_ = number % 5 == 4 ? kByBits : int((number - number / 5) % kOperands);
    bits_ = uint64_t(number) * 0x9E3779B97F4A7C15u;
  }
  // What begins with the same random numbers has its operands in the same places.
  void begin_operands() { operand_ = 0; }

  bool aligned_rows() const {
    if (alignment != Alignment::mixed) return alignment == Alignment::all;
    return late_ != kByBits || bit(0);
  }
  bool next_is_aligned() {
    const int operand = operand_++;
    if (alignment != Alignment::mixed) return alignment == Alignment::all;
    return late_ == kByBits ? bit(1 + operand) : operand != late_;
  }

 private:
  static constexpr int kOperands = 14;  // of the calls with the most
  static constexpr int kByBits = -1;

  bool bit(int i) const { return (bits_ >> (63 - i % 64) & 1) != 0; }

  int late_ = kByBits;
  uint64_t bits_ = 0;
  int operand_ = 0;
};

inline Placement& placement() {
  static Placement place;
  return place;
}
// From one row to the next, with about so many elements between them.
inline int64_t spaced(int64_t columns, int64_t gap) {
  const int64_t stride = columns + gap;
  return placement().aligned_rows() ? (stride + 7) / 8 * 8 : stride;
}

// Elements that end exactly where their heap allocation ends, so that AddressSanitizer sees the
// first one read or written beyond.
class Values {
 public:
  Values(Type type, int64_t size)
      : type_(type), size_(size), first_(placement().next_is_aligned() ? 0 : bytes_of(type)),
        memory_(take(size_t(first_ + size * bytes_of(type)))) {
    fill(std::nan(""));
  }

  Type type() const { return type_; }
  int64_t size() const { return size_; }
  void* data() { return memory_.get() + first_; }
  const void* data() const { return memory_.get() + first_; }

  double operator[](int64_t i) const {
    const unsigned char* at = memory_.get() + first_ + i * bytes_of(type_);
    if (type_ == Type::float64) return read<double>(at);
    if (type_ == Type::float32) return double(read<float>(at));
#ifdef PT_TEST_CUDA
    if (type_ == Type::float16) return double(read<_Float16>(at));
#endif
    return double(widened(read<bfloat16>(at)));
  }
  // Rounds to the type.
  void set(int64_t i, double x) {
    unsigned char* at = memory_.get() + first_ + i * bytes_of(type_);
    if (type_ == Type::float64) {
      std::memcpy(at, &x, 8);
    } else if (const float y = float(x); type_ == Type::float32) {
      std::memcpy(at, &y, 4);
#ifdef PT_TEST_CUDA
    } else if (type_ == Type::float16) {
      const auto z = _Float16(y);
      std::memcpy(at, &z, 2);
#endif
    } else {
      const bfloat16 z = narrowed(y);
      std::memcpy(at, &z, 2);
    }
  }
  void fill(double x) {
    for (int64_t i = 0; i < size_; i++) set(i, x);
  }
  bool same_bits(const Values& other) const {
    return size_ == other.size_ && type_ == other.type_ &&
           std::memcmp(data(), other.data(), size_t(size_ * bytes_of(type_))) == 0;
  }

 private:
  struct Give {
    size_t bytes;
    void operator()(unsigned char* memory) const {
      Allocator<unsigned char>().deallocate(memory, bytes);
    }
  };
  using Memory = std::unique_ptr<unsigned char[], Give>;
  static Memory take(size_t bytes) {
    return {Allocator<unsigned char>().allocate(bytes), Give{bytes}};
  }
  template <class T>
  static T read(const unsigned char* at) {
    T x;
    std::memcpy(&x, at, sizeof(T));
    return x;
  }

  Type type_;
  int64_t size_, first_;
  Memory memory_;
};

// splitmix64 (Steele, Lea and Flood 2014): the same numbers on every machine.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) { placement().begin_operands(); }

  uint64_t next() {
    state_ += 0x9E3779B97F4A7C15u;
    uint64_t x = state_;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
  }
  int64_t below(int64_t n) { return int64_t(next() % uint64_t(n)); }
  // Roughly normal: mean 0, variance 1, within (-3.5, 3.5).
  double normal() {
    double sum = 0;
    for (int i = 0; i < 4; i++) sum += double(next() >> 11) * 0x1p-53 - 0.5;
    return sum * 1.7320508075688772;
  }
  Values normals(Type type, int64_t size) {
    Values values(type, size);
    for (int64_t i = 0; i < size; i++) values.set(i, normal());
    return values;
  }

 private:
  uint64_t state_;
};

// A sum and the sum of its terms' magnitudes, to which rounding errors are relative.
struct Sum {
  double value = 0, magnitude = 0;
  void add(double term) {
    value += term;
    magnitude += std::fabs(term);
  }
};

// How far a result of `length` roundings in the arithmetic of `type`, each off by half an epsilon
// of at most `magnitude`, may lie from the exact one; every result is stored once as `stored`.
// Errors are taken to walk at random (4 standard deviations), with some for the functions around.
inline double tolerance(Type type, Type stored, double length, double magnitude, double result) {
  const double steps = 8.0 + 2.0 * std::sqrt(length);
  double allowed = epsilon_of(arithmetic_of(type)) * steps * magnitude;
  if (is_half(stored)) allowed += 0.51 * epsilon_of(stored) * std::fabs(result);
  if (stored == Type::float16) allowed += 0x1p-25;  // half of its smallest number
  return allowed;
}

// What it adds to the error of a sum that each term is rounded once to a type of 16 bits.
inline double rounded_terms(Type type, double magnitude) {
  return 0.51 * epsilon_of(type) * magnitude;
}

inline Matrix matrix(const Values& values, int64_t row_stride, int64_t col_stride) {
  return {values.data(), values.type(), row_stride, col_stride};
}

}  // namespace pt::test
