// Primitives of one thread: conversions, functions, dropout's random numbers.
#include <cmath>
#include <cstring>
#include <limits>

#include "../../csrc/kernels/cuda/functions.h"
#include "../../csrc/kernels/cuda/philox.h"
#include "run.h"

namespace pt::cuda {
namespace {

float from_bits(uint32_t bits) {
  float x;
  std::memcpy(&x, &bits, 4);
  return x;
}

// Of both signs: ties between neighbours of either type and what lies just beside them, the ends
// of their ranges, numbers below the normal ones, and what is no number.
Elements<float> awkward_numbers() {
  const uint32_t positive[] = {
      0x00000000, 0x3f800000, 0x3f807fff, 0x3f808000, 0x3f808001, 0x3f818000, 0x3f817fff,  // ties
      0x3f800fff, 0x3f801000, 0x3f801001, 0x3f803000, 0x3f802fff, 0x40490fdb, 0x3eaaaaab,
      0x7f7f7fff, 0x7f7f8000, 0x7f7fffff, 0x477fe000, 0x477fefff, 0x477ff000, 0x47800000,  // ends
      0x38800000, 0x387fffff, 0x387fe000, 0x387fefff, 0x387ff000, 0x33800000, 0x337fffff,  // below
      0x33000000, 0x33000001, 0x33c00000, 0x33bfffff, 0x33400000, 0x32ffffff, 0x00800000,
      0x007fffff, 0x007f8000, 0x00018000, 0x00017fff, 0x00008000, 0x00008001, 0x00000001,
      0x7f800000, 0x7f800001, 0x7fc00000, 0x7fffffff,  // infinity, NaN
  };
  Elements<float> x;
  for (const uint32_t bits : positive) {
    x.push_back(from_bits(bits));
    x.push_back(from_bits(bits | 0x80000000u));
  }
  Random random(6);
  while (x.size() < 128) {
    x.push_back(float(random.normal() * std::ldexp(1.0, int(random.below(50)) - 30)));
  }
  return x;
}

template <class S>
struct Widen {
  __device__ float operator()(S x) const { return to_float(x); }
};
struct ToBfloat16 {
  __device__ bfloat16 operator()(float x) const { return to_bfloat16(x); }
};
struct ToFloat16 {
  __device__ float16 operator()(float x) const { return to_float16(x); }
};
struct Two {
  float first, second;
};
template <class S>
struct Pair {
  __device__ uint32_t operator()(Two x) const { return pair_of<S>(x.first, x.second); }
};

// FNV-1a of all words that are numbers.
uint64_t checksum(const Section& section) {
  uint64_t sum = 0xcbf29ce484222325u;
  for (const uint64_t word : section.words) {
    if (!section.is_nan(word)) sum = (sum ^ word) * 0x100000001b3u;
  }
  return sum;
}

template <class S, class Narrow>
void conversions(std::vector<Section>& out) {
  const std::string name = name_of<S>();
  const Elements<float> x = awkward_numbers();
  out.push_back(section("to_" + name, kHalf<S>, applied<S>(Narrow{}, x)));

  Elements<Two> pairs;
  for (size_t i = 0; i < x.size(); i++) pairs.push_back({x[i], x[x.size() - 1 - i]});
  const Elements<uint32_t> packed = applied<uint32_t>(Pair<S>{}, pairs);
  out.push_back(section("pair_of " + name, kHalf<S>, packed));

  Elements<S> every(65536);
  for (size_t i = 0; i < every.size(); i++) every[i].bits = uint16_t(i);
  const Elements<float> wide = applied<float>(Widen<S>{}, every);
  const Section widened = section("", Word::float32, wide);
  Elements<float> some;
  for (size_t i = 0; i < wide.size(); i += 1021) some.push_back(wide[i]);
  out.push_back(section("to_float of every 1021st " + name, Word::float32, some));
  out.push_back({"to_float of every " + name + ", checksum", Word::bits64, {checksum(widened)}});
  const Section back = section("", kHalf<S>, applied<S>(Narrow{}, wide));
  out.push_back({name + " there and back, checksum", Word::bits64, {checksum(back)}});
}

struct FastExp2 {
  __device__ float operator()(float x) const { return fast_exp2(x); }
};
struct Exp2 {
  __device__ float operator()(float x) const { return exp2f(x); }
  __device__ double operator()(double x) const { return exp2(x); }
};
struct NaturalExp {
  template <class T>
  __device__ T operator()(T x) const {
    return natural_exp(x);
  }
};
struct NaturalLog {
  template <class T>
  __device__ T operator()(T x) const {
    return natural_log(x);
  }
};
struct ErrorComplement {
  template <class T>
  __device__ T operator()(T x) const {
    return error_complement(x);
  }
};
struct ReciprocalRoot {
  __device__ float operator()(float x) const { return rsqrtf(x); }
  __device__ double operator()(double x) const { return rsqrt(x); }
};
struct Quotient {
  __device__ float operator()(Two x) const { return x.first / x.second; }
};

// From the tails to the middle, where the functions' results leave the normal numbers too, but not
// exactly where they do: which side an approximation falls on is its own affair.
template <class T>
Elements<T> arguments(bool negative_too) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  Elements<T> x;
  for (const double magnitude :
       {0.0,   1e-40, 1e-30, 1e-8,  1e-3,  0.1,   0.25, 0.3,  0.5,     0.75,  0.9,   0.999,
        1.0,   1.001, 1.5,   2.0,   2.5,   2.75,  3.1,  4.0,  5.3,     6.0,   8.7,   9.4,
        10.1,  11.0,  24.7,  33.3,  64.6,  87.1,  88.5, 95.9, 100.25,  103.1, 120.9, 125.9,
        126.5, 127.9, 128.5, 140.2, 151.0, 300.5, 1e10, 1e30, infinity}) {
    x.push_back(T(magnitude));
    if (negative_too) x.push_back(T(-magnitude));
  }
  x.push_back(T(-1));
  x.push_back(T(std::nan("")));
  Random random(7);
  while (x.size() < 128) {
    const double drawn = random.normal() * (x.size() % 2 == 0 ? 1.0 : 16.0);
    x.push_back(T(negative_too ? drawn : std::fabs(drawn)));
  }
  return x;
}

// Units of the last place that a function may be off: on the device by the CUDA C++ Programming
// Guide ("Mathematical Functions"; ex2.approx by the PTX ISA), on the CPU by glibc's manual ("Known
// Maximum Errors in Math Functions"). The words in the file are those of a CPU.
template <class T, class Function>
void approximation(std::vector<Section>& out, const std::string& name, const Function& function,
                   bool negative_too, int64_t device, int64_t host) {
  const Word word = sizeof(T) == 8 ? Word::float64 : Word::float32;
  const Elements<T> y = applied<T>(function, arguments<T>(negative_too));
  out.push_back(
      section(name + (sizeof(T) == 8 ? " of float64" : " of float32"), word, y, device + host));
}

void functions(std::vector<Section>& out) {
  approximation<float>(out, "fast_exp2", FastExp2{}, true, 2, 1);
  approximation<float>(out, "exp2", Exp2{}, true, 2, 1);
  approximation<float>(out, "natural_exp", NaturalExp{}, true, 2, 1);
  approximation<float>(out, "natural_log", NaturalLog{}, false, 1, 1);
  approximation<float>(out, "error_complement", ErrorComplement{}, true, 4, 3);
  approximation<float>(out, "reciprocal root", ReciprocalRoot{}, false, 2, 2);
  approximation<double>(out, "exp2", Exp2{}, true, 1, 1);
  approximation<double>(out, "natural_exp", NaturalExp{}, true, 1, 1);
  approximation<double>(out, "natural_log", NaturalLog{}, false, 1, 1);
  approximation<double>(out, "error_complement", ErrorComplement{}, true, 5, 5);
  approximation<double>(out, "reciprocal root", ReciprocalRoot{}, false, 1, 2);

  const Elements<float> x = awkward_numbers();
  Elements<Two> pairs;
  for (size_t i = 0; i < x.size(); i++) pairs.push_back({x[i], x[i * 37 % x.size()]});
  out.push_back(section("quotients", Word::float32, applied<float>(Quotient{}, pairs)));
}

struct Counter {
  uint64_t seed;
  uint32_t at[4];
};
struct Draw {
  __device__ Words operator()(const Counter& c) const {
    return philox(c.seed, c.at[0], c.at[1], c.at[2], c.at[3]);
  }
};
template <int kCount>
struct Multipliers {
  float at[kCount];
};
template <int kCount>
struct Drop {
  Dropout dropout;
  __device__ Multipliers<kCount> operator()(int64_t first) const {
    Multipliers<kCount> keep;
    dropout_multipliers(dropout, first * kCount, 5, keep.at);
    return keep;
  }
};

template <int kCount>
void multipliers(std::vector<Section>& out) {
  const Drop<kCount> drop{{0x123456789abcdef0u, 0x60000000u, 1.6}};
  Elements<int64_t> first(size_t(32 / kCount));
  for (size_t i = 0; i < first.size(); i++) first[i] = int64_t(i);
  out.push_back(section("dropout_multipliers<" + std::to_string(kCount) + ">", Word::float32,
                        applied<Multipliers<kCount>>(drop, first)));
}

void dropout(std::vector<Section>& out) {
  const Elements<Counter> counters = {
      {0, {0, 0, 0, 0}},
      {~uint64_t(0), {~0u, ~0u, ~0u, ~0u}},
      {0x299f31d0a4093822u, {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}},
      {1, {2, 3, 4, 5}}};
  out.push_back(section("philox", Word::bits32, applied<Words>(Draw{}, counters)));
  multipliers<1>(out);
  multipliers<2>(out);
  multipliers<4>(out);
  multipliers<8>(out);
}

}  // namespace

void add_numbers(std::vector<Section>& out) {
  conversions<bfloat16, ToBfloat16>(out);
  conversions<float16, ToFloat16>(out);
  functions(out);
  dropout(out);
}

}  // namespace pt::cuda
