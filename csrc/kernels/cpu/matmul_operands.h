// The operands of a matrix product as tiles see them: how both are cut, and packing a part of them.
#pragma once

#include "../matmul.h"
#include "pack.h"
#include "tile.h"

PT_ISA_BEGIN
namespace {

// Words of k in a block, where a lies by rows and by columns: for a packed group to fit its cache.
constexpr int64_t kDepthOfRows = 2048;
constexpr int64_t kDepthOfColumns = 512;
// Tiles or panels packed at once, at most.
constexpr int64_t kMostAtOnce = 64;

// first .. end of piece i of `pieces` even ones of [0, count).
struct Piece {
  int64_t first, end;
  PT_INLINE Piece(int64_t count, int64_t i, int64_t pieces)
      : first(count * i / pieces), end(count * (i + 1) / pieces) {}
  PT_INLINE int64_t size() const { return end - first; }
};

// k is cut into `blocks` of about block_words; the rows of a into `tiles` of at most Tile::kRows,
// the columns of b into `panels` of Tile::kWidth.
template <class P>
class Operands {
 public:
  using T = typename P::Word;
  using K = Tile<P>;

  explicit Operands(const MatmulArgs& args)
      : args_(args), words_(words_of<P>(args.k)), by_columns(args.a.col_stride != 1),
        // A product over no k at all is still finished: zero, then the epilogue.
        blocks(max(1, pieces_of(words_, by_columns ? kDepthOfColumns : kDepthOfRows))),
        block_words(pieces_of(words_, blocks)), tiles(pieces_of(args.m, K::kRows)),
        panels(pieces_of(args.n, K::kWidth)),
        a_stride(by_columns ? kColumnStride : round_up(block_words, K::V::size) + kPad),
        tile_words(by_columns ? block_words * kColumnStride + kPad : K::kRows * a_stride),
        panel_words(block_words * K::kWidth + kPad) {}

  Piece words(int64_t block) const { return Piece(words_, block, blocks); }
  // The first row of a tile.
  int64_t row_of(int64_t tile) const { return args_.m * tile / tiles; }

  // Tiles first .. first + count of one block, tile_words apart. Where a lies by rows so do they,
  // a_stride apart; otherwise a_stride is that of the depth.
  void pack_tiles(int64_t first, int64_t count, int64_t block, T* out) const {
    const Piece depth = words(block);
    const int64_t row = row_of(first), k = depth.first * P::kDepth;
    if (by_columns) {
      // Lanes beyond a tile's own rows belong to the next one and are not used.
      int64_t starts[kMostAtOnce];
      for (int64_t i = 0; i < count; i++) starts[i] = row_of(first + i) - row;
      return pack_columns<P>(args_.a.transposed(), k, row, elements_of(depth),
                             {out, tile_words, count, kColumnStride, args_.m - row, starts});
    }
    for (int64_t t = first; t < first + count; t++, out += tile_words) {
      pack_rows<P>(args_.a, row_of(t), k, row_of(t + 1) - row_of(t), elements_of(depth), out,
                   a_stride);
    }
  }

  // Panels first .. first + count of one block, panel_words apart.
  void pack_panels(int64_t first, int64_t count, int64_t block, T* out) const {
    const Piece depth = words(block);
    const int64_t col = first * K::kWidth;
    int64_t starts[kMostAtOnce];
    for (int64_t i = 0; i < count; i++) starts[i] = i * K::kWidth;
    pack_columns<P>(args_.b, depth.first * P::kDepth, col, elements_of(depth),
                    {out, panel_words, count, K::kWidth, args_.n - col, starts});
  }

  typename K::Kernel kernel(int64_t rows, bool continues) const {
    const int n = int(rows);
    if (by_columns) {
      return continues ? tile_kernel<P, true, true>(n) : tile_kernel<P, true, false>(n);
    }
    return continues ? tile_kernel<P, false, true>(n) : tile_kernel<P, false, false>(n);
  }

 private:
  // Strides are a cache line longer than they need to be: at powers of two, everything would
  // compete for the same few sets of a cache.
  static constexpr int64_t kPad = 64 / int64_t(sizeof(T));
  static constexpr int64_t kColumnStride = round_up(K::kRows, K::V::size);

  int64_t elements_of(const Piece& depth) const {
    return min(depth.size() * P::kDepth, args_.k - depth.first * P::kDepth);
  }

  const MatmulArgs& args_;
  const int64_t words_;

 public:
  const bool by_columns;
  const int64_t blocks, block_words, tiles, panels, a_stride, tile_words, panel_words;
};

}  // namespace
PT_ISA_END
