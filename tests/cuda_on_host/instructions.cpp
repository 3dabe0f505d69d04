// What the lanes of a warp do together: shuffles, votes, matrices and their products; and copies
// that arrive late.
//
// Fragment layouts: PTX ISA, "Warp-level matrix load instruction: ldmatrix" and "Matrix fragments
// for mma.m16n8k16 with floating point types".
#include <algorithm>

#include "half.h"
#include "scheduler.h"

namespace pt::on_host {
namespace {

constexpr uint32_t kWholeWarp = 0xffffffffu;

void check_shared(const void* p, const Site& site) {
  const auto at = reinterpret_cast<uintptr_t>(p);
  const auto from = reinterpret_cast<uintptr_t>(block().shared);
  if (at % 16 != 0) fail(site, "the shared address is no multiple of 16");
  if (at < from || at + 16 > from + block().shared_bytes) {
    fail(site, "the address lies outside the block's shared memory");
  }
}

template <class Body>
void for_each_lane(uint32_t mask, const Body& body) {
  for (unsigned lane = 0; lane < 32; lane++) {
    if ((mask >> lane & 1) != 0) body(lane);
  }
}

struct Shuffle {
  uint64_t value;
  unsigned source;
  uint64_t result;
};

void lead_shuffle(void* const* arguments, uint32_t mask) {
  for_each_lane(mask, [&](unsigned lane) {
    auto& own = *static_cast<Shuffle*>(arguments[lane]);
    // The value of a lane that does not take part is undefined.
    const bool known = own.source < 32 && (mask >> own.source & 1) != 0;
    own.result = known ? static_cast<Shuffle*>(arguments[own.source])->value : ~uint64_t(0);
  });
}

void lead_ballot(void* const* arguments, uint32_t mask) {
  uint32_t bits = 0;
  for_each_lane(mask, [&](unsigned lane) {
    if (*static_cast<uint32_t*>(arguments[lane]) != 0) bits |= 1u << lane;
  });
  for_each_lane(mask, [&](unsigned lane) { *static_cast<uint32_t*>(arguments[lane]) = bits; });
}

struct MatrixLoad {
  uint32_t* to;
  const void* row;
};

// The 8 rows of a matrix are 8 times 16 bytes; two of them in the same 16 bytes of the banks'
// cycle of 128 take another pass.
int conflicts(void* const* arguments, int first) {
  int uses[8] = {};
  for (int i = 0; i < 8; i++) {
    const void* row = static_cast<MatrixLoad*>(arguments[first + i])->row;
    uses[reinterpret_cast<uintptr_t>(row) / 16 % 8]++;
  }
  return *std::max_element(uses, uses + 8) - 1;
}

template <bool kTranspose>
void lead_matrices(void* const* arguments, uint32_t) {
  for (int m = 0; m < 4; m++) {
    count(Count::matrix_conflicts, uint64_t(conflicts(arguments, 8 * m)));
    uint16_t matrix[8][8];
    for (int i = 0; i < 8; i++) {
      __builtin_memcpy(matrix[i], static_cast<MatrixLoad*>(arguments[8 * m + i])->row, 16);
    }
    for (int lane = 0; lane < 32; lane++) {
      const int i = lane / 4, j = lane % 4 * 2;
      const uint32_t low = kTranspose ? matrix[j][i] : matrix[i][j];
      const uint32_t high = kTranspose ? matrix[j + 1][i] : matrix[i][j + 1];
      static_cast<MatrixLoad*>(arguments[lane])->to[m] = low | high << 16;
    }
  }
}

struct Product {
  float* d;
  const uint32_t* a;
  const uint32_t* b;
};

template <Half kType>
float element(uint32_t pair, int which) {
  const auto bits = uint16_t(pair >> (16 * which));
  return kType == Half::bfloat16 ? bfloat16_bits_to_float(bits) : float16_bits_to_float(bits);
}

template <Half kType>
void lead_product(void* const* arguments, uint32_t) {
  count(Count::products);
  float a[16][16], b[16][8], d[16][8];
  const auto for_fragments = [&](const auto& body) {
    for (int lane = 0; lane < 32; lane++) {
      body(*static_cast<Product*>(arguments[lane]), lane / 4, lane % 4 * 2);
    }
  };
  for_fragments([&](const Product& own, int group, int pair) {
    for (int half = 0; half < 2; half++) {
      for (int i = 0; i < 4; i++) {
        a[group + i % 2 * 8][pair + i / 2 * 8 + half] = element<kType>(own.a[i], half);
        if (i < 2) b[pair + i * 8 + half][group] = element<kType>(own.b[i], half);
        if (half == 0) d[group + i / 2 * 8][pair + i % 2] = own.d[i];
      }
    }
  });
  for (int i = 0; i < 16; i++) {
    for (int k = 0; k < 16; k++) {
      for (int j = 0; j < 8; j++) d[i][j] += a[i][k] * b[k][j];
    }
  }
  for_fragments([&](const Product& own, int group, int pair) {
    for (int i = 0; i < 4; i++) own.d[i] = d[group + i / 2 * 8][pair + i % 2];
  });
}

}  // namespace

uint64_t shuffle_bits(uint32_t mask, uint64_t value, unsigned source, const Site& site) {
  Shuffle own{value, source, 0};
  warp_collective(mask, lead_shuffle, &own, site);
  return own.result;
}

uint32_t ballot(uint32_t mask, bool predicate, const Site& site) {
  uint32_t own = predicate ? 1 : 0;
  warp_collective(mask, lead_ballot, &own, site);
  return own;
}

void load_matrices(uint32_t* to, const void* row, bool transpose, const Site& site) {
  check_shared(row, site);
  watch_read(row, 16);
  MatrixLoad own{to, row};
  warp_collective(kWholeWarp, transpose ? lead_matrices<true> : lead_matrices<false>, &own, site);
}

void multiply_16x8x16(Half type, float* d, const uint32_t* a, const uint32_t* b, const Site& site) {
  Product own{d, a, b};
  const bool brain = type == Half::bfloat16;
  warp_collective(kWholeWarp, brain ? lead_product<Half::bfloat16> : lead_product<Half::float16>,
                  &own, site);
}

void copy_async_16(void* to, const void* from, const Site& site) {
  check_shared(to, site);
  if (reinterpret_cast<uintptr_t>(from) % 16 != 0) {
    fail(site, "the source address is no multiple of 16");
  }
  if (from != nullptr) {
    if (is_poisoned(from, 16)) fail(site, "the source lies outside its buffer");
    watch_read(from, 16);
    count(Count::bytes_copied, 16);
  }
  // Who reads the destination before the wait finds NaN.
  watch_write(to, 16);
  __builtin_memset(to, 0xff, 16);
  const Unwatched unwatched;
  Thread& thread = current();
  thread.copies.push_back({to, from, thread.groups});
}

void copy_async_commit() { current().groups++; }

void copy_async_wait(unsigned groups_in_flight) {
  Thread& thread = current();
  size_t kept = 0;
  for (size_t i = 0; i < thread.copies.size(); i++) {
    const Copy copy = thread.copies[i];
    if (copy.group + groups_in_flight >= thread.groups) {
      thread.copies[kept++] = copy;
      continue;
    }
    watch_write(copy.to, 16);
    if (copy.from != nullptr) {
      __builtin_memcpy(copy.to, copy.from, 16);
    } else {
      __builtin_memset(copy.to, 0, 16);
    }
  }
  const Unwatched unwatched;
  thread.copies.resize(kept);
}

}  // namespace pt::on_host
