// Blocked matrix product: out = epilogue(a * b).
//
// b is packed into panels of Tile::kWidth columns, column slab by column slab so that the packed
// copy stays within kSlabBytes, or one block of columns where k is very large. Rows of a go through
// in groups: a group meets kBlockDepth x kBlockWidth blocks of b, which fit the second-level cache,
// and keeps its partial sums in a buffer beside them; within the block one row tile of a
// (first-level cache) meets every panel. Parallel over row groups; when the rows are too few for
// that, over panels, each thread packing its own.
//
// Each element is one chain of multiply-adds over k in order (partial sums are stored and loaded
// exactly), so neither the path taken nor the cut into tiles changes a bit.
#include "matmul.h"

#include "activation.h"
#include "arithmetic.h"
#include "pack.h"
#include "parallel.h"
#include "philox.h"
#include "scratch.h"
#include "tile.h"

PT_ISA_BEGIN
namespace {

constexpr int64_t kBlockDepth = 512;
constexpr int64_t kBlockWidth = 256;
constexpr int64_t kGroupTiles = 8;
constexpr int64_t kSlabBytes = int64_t(4) << 20;

// The epilogue over finished sums[rows, cols] that belong at out[row, col].
template <class T>
class EpilogueWriter {
 public:
  using V = Vector<T>;
  explicit EpilogueWriter(const MatmulArgs& args) : args_(args), epilogue_(args.epilogue) {}

  void run(const T* sums, int64_t stride, int64_t row, int64_t rows, int64_t col,
           int64_t cols) const {
    T keep[kBlockWidth + kWords];
    const bool dropped = epilogue_.dropout.threshold > 0;
    for (int64_t i = 0; i < rows; i++) {
      const int64_t at = (row + i) * args_.out_stride + col;
      if (dropped) {
        dropout_multipliers(epilogue_.dropout, col, cols, uint32_t(row + i), 0, 0, keep);
      }
      for (int64_t j = 0; j < cols; j += V::size) {
        const V x = V::load(sums + i * stride + j);
        const V y = epilogue_.saved == nullptr ? forward(x, at + j, col + j, cols - j)
                                               : backward(x, at + j, cols - j);
        store_typed(dropped ? y * V::load(keep + j) : y, args_.out, args_.out_type, at + j,
                    cols - j);
      }
    }
  }

 private:
  PT_INLINE V forward(V x, int64_t at, int64_t col, int64_t left) const {
    if (epilogue_.bias.data != nullptr) {
      x = x + load_typed<V>(epilogue_.bias.data, epilogue_.bias.type, col, left);
    }
    if (epilogue_.preactivation != nullptr) {
      store_typed(x, epilogue_.preactivation, args_.out_type, at, left);
    }
    return activate(epilogue_.activation, x);
  }
  PT_INLINE V backward(V x, int64_t at, int64_t left) const {
    const V saved = load_typed<V>(epilogue_.saved, args_.out_type, at, left);
    return x * activation_derivative(epilogue_.activation, saved);
  }

  const MatmulArgs& args_;
  const Epilogue& epilogue_;
};

template <class T>
class Product {
 public:
  using K = Tile<T>;
  explicit Product(const MatmulArgs& args)
      : args_(args), finish_(args), tiles_(pieces_of(args.m, K::kRows)) {}

  void run() const {
    if (args_.m == 0 || args_.n == 0) return;
    // Enough row tiles for every thread to have several: share one packed copy of b.
    if (tiles_ >= 4 * thread_count()) {
      by_rows();
    } else {
      by_panels();
    }
  }

 private:
  int64_t rows_of(int64_t tile) const { return min(K::kRows, args_.m - tile * K::kRows); }

  void by_rows() const {
    const int64_t blocks = kSlabBytes / int64_t(sizeof(T)) / (args_.k + 1) / kBlockWidth;
    const int64_t width =
        min(blocks > 1 ? blocks * kBlockWidth : kBlockWidth, round_up(args_.n, K::kWidth));
    Scratch scratch;
    T* panels = scratch.take<T>(width * args_.k);
    for (int64_t col = 0; col < args_.n; col += width) {
      const int64_t cols = min(width, args_.n - col);
      const int64_t count = pieces_of(cols, K::kWidth);
      parallel_ranges(count, 1, [&](int64_t first, int64_t last) {
        for (int64_t p = first; p < last; p++) {
          pack_panel(col + p * K::kWidth, panels + p * K::kWidth * args_.k);
        }
      });
      const int64_t group = min(kGroupTiles, pieces_of(tiles_, thread_count()));
      parallel_for(pieces_of(tiles_, group), [&](int64_t task) {
        const int64_t first = task * group;
        group_of_rows(first, min(tiles_, first + group), panels, col, cols);
      });
    }
  }

  // Columns col.. of b as [k][kWidth], zero beyond the last column.
  void pack_panel(int64_t col, T* panel) const {
    const int64_t cols = min(K::kWidth, args_.n - col);
    pack_rows(args_.b, 0, col, args_.k, cols, panel, K::kWidth, K::kWidth);
  }

  void group_of_rows(int64_t first, int64_t last, const T* panels, int64_t col,
                     int64_t cols) const {
    Scratch scratch;
    T* rows = scratch.take<T>(packed_tile_size());
    T* sums = scratch.take<T>((last - first) * K::kRows * kBlockWidth);
    for (int64_t jb = 0; jb < cols; jb += kBlockWidth) {
      const int64_t width = min(kBlockWidth, cols - jb);
      // A product over no k at all is still finished: zero, then the epilogue.
      for (int64_t kb = 0; kb == 0 || kb < args_.k; kb += kBlockDepth) {
        const int64_t depth = min(kBlockDepth, args_.k - kb);
        for (int64_t tile = first; tile < last; tile++) {
          T* part = sums + (tile - first) * K::kRows * kBlockWidth;
          const bool continues = begin(kb, part, kBlockWidth, tile, col + jb, width);
          multiply(tile, kb, depth, rows, panels + jb * args_.k + kb * K::kWidth, width, continues,
                   part);
          if (kb + depth >= args_.k) {
            finish_.run(part, kBlockWidth, tile * K::kRows, rows_of(tile), col + jb, width);
          }
        }
      }
    }
  }

  // Whether the sums continue from what `part` holds; loads it from out when accumulating.
  bool begin(int64_t kb, T* part, int64_t stride, int64_t tile, int64_t col, int64_t cols) const {
    if (kb > 0) return true;
    if (!args_.accumulate) return false;
    const T* out = static_cast<const T*>(args_.out) + tile * K::kRows * args_.out_stride + col;
    copy_rows(out, args_.out_stride, rows_of(tile), cols, part, stride, round_up(cols, K::kWidth));
    return true;
  }

  static int64_t packed_tile_size() { return round_up(K::kRows, K::V::size) * (kBlockDepth + 16); }

  // part[rows, width] (+)= a[tile, kb .. kb + depth] * panels.
  void multiply(int64_t tile, int64_t kb, int64_t depth, T* rows, const T* panels, int64_t width,
                bool continues, T* part) const {
    const int count = int(rows_of(tile));
    const bool by_columns = args_.a.col_stride != 1;
    const int64_t stride = pack_tile(tile, kb, depth, by_columns, rows);
    const auto kernel = pick(count, by_columns, continues);
    for (int64_t j = 0; j < width; j += K::kWidth) {
      kernel(rows, stride, panels + j * args_.k, K::kWidth, depth, part + j, kBlockWidth);
    }
  }

  static typename K::Kernel pick(int rows, bool by_columns, bool continues) {
    if (by_columns) {
      return continues ? tile_kernel<T, true, true>(rows) : tile_kernel<T, true, false>(rows);
    }
    return continues ? tile_kernel<T, false, true>(rows) : tile_kernel<T, false, false>(rows);
  }

  // Rows stay rows, a little apart so that they do not share cache sets; columns stay columns.
  int64_t pack_tile(int64_t tile, int64_t kb, int64_t depth, bool by_columns, T* rows) const {
    const int64_t count = rows_of(tile);
    if (!by_columns) {
      constexpr int64_t stride = kBlockDepth + 16;
      pack_rows(args_.a, tile * K::kRows, kb, count, depth, rows, stride, depth);
      return stride;
    }
    constexpr int64_t stride = round_up(K::kRows, K::V::size);
    Matrix flipped = args_.a;
    flipped.row_stride = args_.a.col_stride;
    flipped.col_stride = args_.a.row_stride;
    pack_rows(flipped, kb, tile * K::kRows, depth, count, rows, stride, stride);
    return stride;
  }

  // Few rows: every thread takes panels, packs one block of a panel and meets all the rows.
  void by_panels() const {
    const int64_t count = pieces_of(args_.n, K::kWidth);
    parallel_for(count, [&](int64_t panel) { panel_of_columns(panel * K::kWidth); });
  }

  void panel_of_columns(int64_t col) const {
    const int64_t cols = min(K::kWidth, args_.n - col);
    Scratch scratch;
    T* rows = scratch.take<T>(packed_tile_size());
    T* panel = scratch.take<T>(kBlockDepth * K::kWidth);
    T* sums = scratch.take<T>(tiles_ * K::kRows * K::kWidth);
    for (int64_t kb = 0; kb == 0 || kb < args_.k; kb += kBlockDepth) {
      const int64_t depth = min(kBlockDepth, args_.k - kb);
      pack_rows(args_.b, kb, col, depth, cols, panel, K::kWidth, K::kWidth);
      for (int64_t tile = 0; tile < tiles_; tile++) {
        T* part = sums + tile * K::kRows * K::kWidth;
        const int count_rows = int(rows_of(tile));
        const bool continues = begin(kb, part, K::kWidth, tile, col, cols);
        const bool by_columns = args_.a.col_stride != 1;
        const T* from = rows;
        int64_t stride = args_.a.row_stride;
        if (in_place()) {
          from = element<T>(args_.a, tile * K::kRows, kb);
        } else {
          stride = pack_tile(tile, kb, depth, by_columns, rows);
        }
        pick(count_rows, by_columns, continues)(from, stride, panel, K::kWidth, depth, part,
                                                K::kWidth);
        if (kb + depth >= args_.k) {
          finish_.run(part, K::kWidth, tile * K::kRows, count_rows, col, cols);
        }
      }
    }
  }

  // Rows of a that a tile can read where they are.
  bool in_place() const {
    const Type own = sizeof(T) == 8 ? Type::float64 : Type::float32;
    return args_.a.type == own && args_.a.col_stride == 1 && !args_.a.round_to_bfloat16;
  }

  const MatmulArgs& args_;
  const EpilogueWriter<T> finish_;
  const int64_t tiles_;
};

}  // namespace

void matmul(const MatmulArgs& args) {
  if (args.a.type == Type::float64) {
    Product<double>(args).run();
  } else {
    Product<float>(args).run();
  }
}

PT_ISA_END
