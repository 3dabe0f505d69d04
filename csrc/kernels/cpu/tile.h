// The register tile: out[rows, width] (+)= a[rows, depth] * b[depth, width], the inner loop of
// every matrix product here, attention's included.
//
// One row block of `a` (at most kRows) meets one panel of `b` of kWidth columns, both in words of
// the product P. Each element is a single chain of multiply-adds over depth in ascending order: how
// a product is cut into tiles never changes a bit of it.
#pragma once

#include "product.h"

PT_ISA_BEGIN
namespace {

template <class P>
struct Tile {
  using T = typename P::Word;
  using V = Vector<T>;
  static constexpr int kRows = kFloatTileRows;
  static constexpr int kVectors = 2;
  static constexpr int kWidth = kVectors * V::size;

  // a[i, k] = a[i * a_stride + k], or a[k * a_stride + i] when ColumnMajor;
  // b[k, j] = b[k * b_stride + j]; out[i, j] = out[i * out_stride + j].
  typedef void (*Kernel)(const T* a, int64_t a_stride, const T* b, int64_t b_stride, int64_t depth,
                         T* out, int64_t out_stride);

  template <int Rows, bool ColumnMajor, bool Accumulate>
  static __attribute__((noinline)) void run(const T* __restrict a, int64_t a_stride,
                                            const T* __restrict b, int64_t b_stride, int64_t depth,
                                            T* __restrict out, int64_t out_stride) {
    V sum[Rows][kVectors];
    PT_UNROLL
    for (int i = 0; i < Rows; i++) {
      PT_UNROLL
      for (int j = 0; j < kVectors; j++) {
        sum[i][j] = Accumulate ? V::load(out + i * out_stride + j * V::size) : V::zero();
      }
    }
    for (int64_t k = 0; k < depth; k++) {
      V panel[kVectors];
      PT_UNROLL
      for (int j = 0; j < kVectors; j++) panel[j] = V::load(b + j * V::size);
      b += b_stride;
      PT_UNROLL
      for (int i = 0; i < Rows; i++) {
        const V x = V::broadcast(ColumnMajor ? a[i] : a[i * a_stride]);
        PT_UNROLL
        for (int j = 0; j < kVectors; j++) sum[i][j] = P::multiply_add(x, panel[j], sum[i][j]);
      }
      a += ColumnMajor ? a_stride : 1;
    }
    PT_UNROLL
    for (int i = 0; i < Rows; i++) {
      PT_UNROLL
      for (int j = 0; j < kVectors; j++) sum[i][j].store(out + i * out_stride + j * V::size);
    }
  }
};

// The kernel for a number of rows, 1 to kRows.
template <class P, bool ColumnMajor, bool Accumulate>
PT_INLINE typename Tile<P>::Kernel tile_kernel(int rows) {
  using K = Tile<P>;
#define PT_TILE(n) &K::template run<(n <= K::kRows ? n : 1), ColumnMajor, Accumulate>
  static constexpr typename K::Kernel table[] = {
      PT_TILE(1), PT_TILE(2), PT_TILE(3),  PT_TILE(4),  PT_TILE(5),  PT_TILE(6),  PT_TILE(7),
      PT_TILE(8), PT_TILE(9), PT_TILE(10), PT_TILE(11), PT_TILE(12), PT_TILE(13), PT_TILE(14)};
#undef PT_TILE
  return table[rows - 1];
}

}  // namespace
PT_ISA_END
