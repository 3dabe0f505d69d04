// Primitives of many threads: copies, matrices and their products, exchanges and votes.
#include <cmath>
#include <limits>

#include "../../csrc/kernels/cuda/lanes.h"
#include "run.h"

namespace pt::cuda {
namespace {

struct Copied {
  alignas(16) uint32_t at[2][kWarp][4];
};

// Every third, and then every fifth lane copies nothing: zeros arrive.
__global__ void copy(const uint32_t* from, uint32_t* first, uint32_t* second) {
  auto& shared = shared_layout<Copied>();
  const int lane = int(threadIdx.x);
  copy_async_16(shared.at[0][lane], from + 4 * lane, lane % 3 != 0);
  copy_async_commit();
  copy_async_16(shared.at[1][lane], from + 4 * (kWarp - 1 - lane), lane % 5 != 0);
  copy_async_commit();
  copy_async_wait<1>();
  for (int i = 0; i < 4; i++) first[4 * lane + i] = shared.at[0][lane][i];
  copy_async_wait<0>();
  for (int i = 0; i < 4; i++) second[4 * lane + i] = shared.at[1][lane][i];
}

void copies(std::vector<Section>& out) {
  Elements<uint32_t> from(4 * kWarp), first(4 * kWarp), second(4 * kWarp);
  for (size_t i = 0; i < from.size(); i++) from[i] = uint32_t(0x01010101u * (i + 1));
  run(copy, kWarp, sizeof(Copied), from.data(), first.data(), second.data());
  out.push_back(section("copy_async_16, the group before the last", Word::bits32, first));
  out.push_back(section("copy_async_16, the last group", Word::bits32, second));
}

struct Matrices {
  alignas(16) uint16_t at[kWarp][8];
};

// Element (i, j) of matrix m holds m, i and j, a hexadecimal digit each.
__global__ void load(uint32_t* plain, uint32_t* transposed) {
  auto& shared = shared_layout<Matrices>();
  const int lane = int(threadIdx.x);
  for (int j = 0; j < 8; j++) {
    shared.at[lane][j] = uint16_t((lane / 8) << 8 | (lane % 8) << 4 | j);
  }
  __syncwarp();
  uint32_t to[4];
  load_matrix_x4(to, shared.at[lane]);
  for (int m = 0; m < 4; m++) plain[4 * lane + m] = to[m];
  load_matrix_x4_transposed(to, shared.at[lane]);
  for (int m = 0; m < 4; m++) transposed[4 * lane + m] = to[m];
}

void matrices(std::vector<Section>& out) {
  Elements<uint32_t> plain(4 * kWarp), transposed(4 * kWarp);
  run(load, kWarp, sizeof(Matrices), plain.data(), transposed.data());
  out.push_back(section("load_matrix_x4", Word::bits32, plain));
  out.push_back(section("load_matrix_x4_transposed", Word::bits32, transposed));
}

// A lane's own operands: a[8] and b[4] of each, d[4] in and out.
template <class S>
__global__ void multiply(const float* a, const float* b, float* d) {
  const int lane = int(threadIdx.x);
  uint32_t left[4], right[2];
  for (int i = 0; i < 4; i++) left[i] = pair_of<S>(a[8 * lane + 2 * i], a[8 * lane + 2 * i + 1]);
  for (int i = 0; i < 2; i++) right[i] = pair_of<S>(b[4 * lane + 2 * i], b[4 * lane + 2 * i + 1]);
  float sums[4];
  for (int i = 0; i < 4; i++) sums[i] = d[4 * lane + i];
  mma_m16n8k16<S>(sums, left, right[0], right[1]);
  for (int i = 0; i < 4; i++) d[4 * lane + i] = sums[i];
}

struct Product {
  Elements<float> a, b, d;
  Product() : a(8 * kWarp), b(4 * kWarp), d(4 * kWarp) {}
  template <class S>
  const Elements<float>& multiplied() {
    run(multiply<S>, kWarp, 0, a.data(), b.data(), d.data());
    return d;
  }
};

// Integers that float32 holds whatever the order of their sum; no sum is zero, whose sign might
// depend on it.
Product integers() {
  Product product;
  Random random(8);
  for (float& x : product.a) x = float(random.below(17) - 8);
  for (float& x : product.b) x = float(random.below(17) - 8);
  for (float& x : product.d) x = float((random.below(2) * 2 - 1) * (4096 + random.below(1024)));
  return product;
}

Product fractions() {
  Product product;
  Random random(9);
  for (Elements<float>* values : {&product.a, &product.b, &product.d}) {
    for (float& x : *values) x = float(random.below(1 << 21)) * 0x1p-20f - 1;
  }
  return product;
}

// Multiples of the smallest number of a type.
Product smallest_numbers(float smallest) {
  Product product;
  for (size_t i = 0; i < product.a.size(); i++) product.a[i] = smallest * float(1 + i % 3);
  for (float& x : product.b) x = 1024;
  return product;
}

Product infinities() {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  Product product;
  for (float& x : product.a) x = 1;
  for (float& x : product.b) x = 2;
  product.a[8 * 1] = infinity;
  product.a[8 * 9 + 3] = -infinity;
  product.a[8 * 17] = infinity;
  product.a[8 * 17 + 1] = -infinity;
  product.a[8 * 30 + 6] = std::nanf("");
  product.b[4 * 13] = 0;  // times infinity
  return product;
}

// Rounding errors of a sum of 17 terms, none beyond 1. The hardware cuts each term at 2^-23 of the
// largest, all of them in two steps at worst (18 terms), and cuts the sum of each, at most 17, at
// 2^-23 of it; the CPU rounds after each of 16 additions, by at most 2^-24 of 17.
constexpr double kOrder = (18 + 2 * 17 + 16 * 17 / 2.0) * 0x1p-23;

template <class S>
void products(std::vector<Section>& out, float smallest) {
  const std::string name = "mma_m16n8k16 of " + name_of<S>();
  const auto add = [&](const char* what, Product product, double distance) {
    out.push_back(section(name + what, Word::float32, product.multiplied<S>(), 0, distance));
  };
  add(", integers", integers(), 0);
  add(", fractions", fractions(), kOrder);
  add(", numbers below the normal ones", smallest_numbers(smallest), 0);
  add(", infinity and NaN", infinities(), 0);
}

struct Turned {
  int lanes;
  template <class T>
  __device__ T operator()(T x) const {
    return __shfl_xor_sync(kAllLanes, x, lanes);
  }
};
struct Fetched {
  template <class T>
  __device__ T operator()(T x) const {
    return __shfl_sync(kAllLanes, x, int(threadIdx.x * 7 + 3) % kWarp);
  }
};
struct Ballot {
  __device__ uint32_t operator()(uint32_t x) const { return __ballot_sync(kAllLanes, x % 3 == 0); }
};
struct AnyOfBlock {
  uint32_t wanted;
  __device__ uint32_t operator()(uint32_t x) const { return __syncthreads_or(x == wanted) != 0; }
};
template <int kLanes>
struct LanesSum {
  template <class T>
  __device__ T operator()(T x) const {
    return lanes_sum<kLanes>(x);
  }
};
template <int kLanes>
struct LanesMax {
  template <class T>
  __device__ T operator()(T x) const {
    return lanes_max<kLanes>(x);
  }
};

constexpr int kSumWarps = 4;
template <class T>
struct Slots {
  T at[kSumWarps][2];
};

// What the first and the last thread get.
template <class T>
__global__ void sum_block(const T* x, T* out) {
  const int thread = int(threadIdx.x), threads = kSumWarps * kWarp;
  T own[2] = {x[thread], x[threads + thread]};
  warps_sum(own, shared_layout<Slots<T>>().at);
  if (thread == 0 || thread == threads - 1) {
    for (int i = 0; i < 2; i++) out[(thread == 0 ? 0 : 2) + i] = own[i];
  }
}

template <class T>
void exchanges(std::vector<Section>& out, Word word, const std::string& type) {
  Random random(10);
  Elements<T> x(kWarp), many(2 * kSumWarps * kWarp), sums(4);
  for (T& element : x) element = T(random.normal() * 100);
  for (T& element : many) element = T(random.normal());
  for (const int lanes : {1, 5, 16}) {
    out.push_back(section("__shfl_xor_sync by " + std::to_string(lanes) + " of " + type, word,
                          applied<T>(Turned{lanes}, x)));
  }
  out.push_back(section("__shfl_sync of " + type, word, applied<T>(Fetched{}, x)));
  out.push_back(section("lanes_sum of " + type, word, applied<T>(LanesSum<kWarp>{}, x)));
  out.push_back(section("lanes_sum<4> of " + type, word, applied<T>(LanesSum<4>{}, x)));
  run(sum_block<T>, kSumWarps * kWarp, sizeof(Slots<T>), many.data(), sums.data());
  out.push_back(section("warps_sum of " + type, word, sums));
  x[3] = T(std::nan(""));
  out.push_back(section("lanes_max of " + type, word, applied<T>(LanesMax<kWarp>{}, x)));
  out.push_back(section("lanes_max<8> of " + type, word, applied<T>(LanesMax<8>{}, x)));
}

void votes(std::vector<Section>& out) {
  constexpr int kThreads = 2 * kWarp;
  Elements<uint32_t> x(kThreads);
  for (size_t i = 0; i < x.size(); i++) x[i] = uint32_t(i * i);
  const Elements<uint32_t> ballots = applied<uint32_t>(Ballot{}, x, kThreads);
  out.push_back(section("__ballot_sync", Word::bits32, ballots));
  out.push_back(section("__shfl_xor_sync of uint32", Word::bits32,
                        applied<uint32_t>(Turned{1}, x, kThreads)));
  for (const uint32_t wanted : {40u * 40u, 2u}) {
    const Elements<uint32_t> any = applied<uint32_t>(AnyOfBlock{wanted}, x, kThreads);
    out.push_back(section("__syncthreads_or, " + std::to_string(wanted), Word::bits32, any));
  }
}

}  // namespace

void add_warps(std::vector<Section>& out) {
  copies(out);
  matrices(out);
  products<bfloat16>(out, 0x1p-133f);
  products<float16>(out, 0x1p-24f);
  exchanges<float>(out, Word::float32, "float32");
  exchanges<double>(out, Word::float64, "float64");
  votes(out);
}

}  // namespace pt::cuda
