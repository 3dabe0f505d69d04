// Blocked matrix product: out = epilogue(a * b).
//
// A block of k and a slab of columns at a time, b is packed into panels. Groups of row tiles,
// packed as well, go through the panels one after the other: a group stays in the second-level
// cache, a panel comes from the third level once a group. A tile runs over the whole block in
// registers; its result is finished from a buffer in the first-level cache, or stored where it
// belongs when there is nothing to finish. Tasks take groups of rows, which share the panels, or,
// where b is the larger, ranges of panels, which they pack for themselves. Few rows form one group,
// and a panel is packed just before it is used.
//
// Each element is one chain of multiply-adds over k in order (sums between blocks are stored and
// loaded exactly), so the cut into tasks, tiles and blocks changes no bit.
#include "matmul.h"

#include "epilogue.h"
#include "matmul_operands.h"
#include "parallel.h"
#include "scratch.h"

PT_ISA_BEGIN
namespace {

// Of a group, at most: the wider, where its depth lies across rows, the longer the runs it reads.
constexpr int64_t kGroupRows = 112;
constexpr int64_t kGroupColumns = 224;
constexpr int64_t kGroupBytes = int64_t(512) << 10;
constexpr int64_t kSlabBytes = int64_t(4) << 20;
constexpr int64_t kPanelsAtOnce = 8;  // packed at once, likewise
constexpr int64_t kLeastRange = 4;  // panels that are worth packing all of a for,
constexpr int64_t kGoodRange = 16;  // and that cost next to nothing

template <class P>
class MatrixProduct {
 public:
  using T = typename P::Word;
  using K = Tile<P>;
  explicit MatrixProduct(const MatmulArgs& args)
      : args_(args), operands_(args), own_type_(has_own_type<T>(args)),
        direct_(own_type_ && finishes_nothing(args.epilogue)), finish_(finish_for<T>(args)),
        threads_(thread_count()) {}

  void run() {
    if (args_.m == 0 || args_.n == 0) return;
    Scratch scratch;
    if (args_.epilogue.bias.data != nullptr) bias_ = padded_bias(scratch);
    const int64_t rows = operands_.by_columns ? kGroupColumns : kGroupRows;
    const int64_t bytes = operands_.tile_words * int64_t(sizeof(T));
    groups_ = pieces_of(operands_.tiles,
                        max(1, min(min(kMostAtOnce, rows / K::kRows), kGroupBytes / (bytes + 1))));
    if (args_.m <= kGroupRows && !operands_.by_columns) return few_rows(scratch);
    ranges_ = ranges_of_columns();
    if (ranges_ > 0) return many_rows(scratch);
    // As many groups for each thread, where there are tiles enough.
    const int64_t even = round_up(groups_, threads_);
    if (even <= operands_.tiles) groups_ = even;
    many_rows(scratch);
  }

 private:
  const T* padded_bias(Scratch& scratch) const {
    using V = typename K::V;
    const Parameters& from = args_.epilogue.bias;
    const int64_t n = operands_.panels * K::kWidth;
    T* bias = scratch.take<T>(n);
    for (int64_t j = 0; j < n; j += V::size) {
      const int64_t left = args_.n - j;
      (left > 0 ? load_typed<V>(from.data, from.type, j, left) : V::zero()).store(bias + j);
    }
    return bias;
  }

  // Sums wait for the next block of k in out, if it has their type, or else here.
  void take_waiting(Scratch& scratch, int64_t panels) {
    waiting_stride_ = panels * K::kWidth;
    if (operands_.blocks > 1 && !own_type_) waiting_ = scratch.take<T>(args_.m * waiting_stride_);
  }

  void few_rows(Scratch& scratch) {
    take_waiting(scratch, operands_.panels);
    const int64_t ranges = threads_ == 1 ? 1 : min(operands_.panels, 2 * threads_);
    parallel_for(ranges, [&](int64_t range) {
      const Piece panels(operands_.panels, range, ranges);
      Scratch own;
      T* rows = own.take<T>(operands_.tiles * operands_.tile_words);
      T* panel = own.take<T>(operands_.panel_words);
      T* sums = own.take<T>(K::kRows * K::kWidth);
      for (int64_t block = 0; block < operands_.blocks; block++) {
        operands_.pack_tiles(0, operands_.tiles, block, rows);
        for (int64_t p = panels.first; p < panels.end; p++) {
          operands_.pack_panels(p, 1, block, panel);
          for (int64_t t = 0; t < operands_.tiles; t++) {
            tile(t, p, block, rows + t * operands_.tile_words, panel, sums, p);
          }
        }
      }
    });
  }

  void many_rows(Scratch& scratch) {
    const int64_t bytes = operands_.panel_words * int64_t(sizeof(T));
    const int64_t slabs = pieces_of(operands_.panels, max(1, kSlabBytes / bytes));
    const int64_t width = pieces_of(operands_.panels, slabs);
    T* panels = scratch.take<T>(width * operands_.panel_words);
    take_waiting(scratch, width);
    for (int64_t s = 0; s < slabs; s++) {
      const Piece columns(operands_.panels, s, slabs);
      for (int64_t block = 0; block < operands_.blocks; block++) {
        if (ranges_ > 0) {
          by_ranges(columns, block, panels);
        } else {
          pack(columns, block, panels);
          by_groups(columns, block, panels);
        }
      }
    }
  }

  // How many ranges of columns tasks take, 0 if they had better take groups of rows. A range packs
  // its panels for itself, which spares them the way from one core's cache to another's, but reads
  // and packs all of a: more than it spares where a is the larger. Few ranges must also be even.
  int64_t ranges_of_columns() const {
    if (threads_ == 1) return 1;
    if (args_.n < args_.m) return 0;
    const int64_t each = pieces_of(operands_.panels, threads_);
    const bool even = 8 * (each * threads_ - operands_.panels) <= operands_.panels;
    if (operands_.panels < kLeastRange * threads_ || !even) return 0;
    return threads_ * max(1, min(4, each / kGoodRange));
  }

  // Every task takes all the rows through its own range of the panels.
  void by_ranges(const Piece& columns, int64_t block, T* panels) const {
    const int64_t ranges = min(columns.size(), ranges_);
    parallel_for(ranges, [&](int64_t task) {
      const Piece range(columns.size(), task, ranges);
      for (int64_t p = range.first; p < range.end; p += kPanelsAtOnce) {
        operands_.pack_panels(columns.first + p, min(kPanelsAtOnce, range.end - p), block,
                              panels + p * operands_.panel_words);
      }
      for (int64_t g = 0; g < groups_; g++) {
        group(Piece(operands_.tiles, g, groups_), columns, range, block, panels);
      }
    });
  }

  // A group of rows against a range of the panels.
  void group(const Piece& tiles, const Piece& columns, const Piece& range, int64_t block,
             const T* panels) const {
    Scratch scratch;
    T* sums = scratch.take<T>(K::kRows * K::kWidth);
    T* rows = scratch.take<T>(tiles.size() * operands_.tile_words);
    operands_.pack_tiles(tiles.first, tiles.size(), block, rows);
    for (int64_t p = range.first; p < range.end; p++) {
      for (int64_t t = 0; t < tiles.size(); t++) {
        tile(tiles.first + t, columns.first + p, block, rows + t * operands_.tile_words,
             panels + p * operands_.panel_words, sums, p);
      }
    }
  }

  void pack(const Piece& columns, int64_t block, T* panels) const {
    const int64_t step = min(kPanelsAtOnce, pieces_of(columns.size(), threads_));
    parallel_for(pieces_of(columns.size(), step), [&](int64_t task) {
      const int64_t at = task * step;
      operands_.pack_panels(columns.first + at, min(step, columns.size() - at), block,
                            panels + at * operands_.panel_words);
    });
  }

  void by_groups(const Piece& columns, int64_t block, const T* panels) const {
    // Fewer groups than threads: several tasks share one, each with a part of the panels.
    const int64_t ranges =
        groups_ >= threads_ ? 1 : min(columns.size(), pieces_of(4 * threads_, groups_));
    parallel_for(groups_ * ranges, [&](int64_t task) {
      group(Piece(operands_.tiles, task / ranges, groups_), columns,
            Piece(columns.size(), task % ranges, ranges), block, panels);
    });
  }

  // One tile against one panel, which is number `waiting_panel` of the waiting sums.
  void tile(int64_t t, int64_t p, int64_t block, const T* rows, const T* panel, T* sums,
            int64_t waiting_panel) const {
    const int64_t row = operands_.row_of(t), count = operands_.row_of(t + 1) - row;
    const int64_t col = p * K::kWidth, cols = min(K::kWidth, args_.n - col);
    const bool first = block == 0, last = block + 1 == operands_.blocks;
    T* const out = static_cast<T*>(args_.out) + row * args_.out_stride + col;
    const bool in_place = own_type_ && cols == K::kWidth && (direct_ || operands_.blocks > 1);
    int64_t stride = K::kWidth;
    if (in_place) {
      sums = out;
      stride = args_.out_stride;
    } else if (waiting_ != nullptr) {
      stride = waiting_stride_;
      sums = waiting_ + row * stride + waiting_panel * K::kWidth;
    }
    const bool continues = !first || args_.accumulate;
    const bool elsewhere = !in_place && waiting_ == nullptr;
    if (elsewhere && continues) {
      copy_rows(out, args_.out_stride, count, cols, sums, stride, stride);
    }
    operands_.kernel(count, continues)(rows, operands_.a_stride, panel, K::kWidth,
                                       operands_.words(block).size(), sums, stride);
    if (last && !(in_place && direct_)) {
      finish_(args_, bias_, sums, stride, row, count, col, cols);
    } else if (elsewhere && !last) {
      copy_rows(sums, stride, count, cols, out, args_.out_stride, cols);
    }
  }

  const MatmulArgs& args_;
  const Operands<P> operands_;
  const bool own_type_;  // out has the type of the sums
  const bool direct_;  // and sums are results as they are
  const Finish<T> finish_;
  const int64_t threads_;
  const T* bias_ = nullptr;
  int64_t groups_ = 1, ranges_ = 0;
  T* waiting_ = nullptr;
  int64_t waiting_stride_ = 0;
};

bool narrow(const Matrix& m) { return m.type == Type::bfloat16 || m.round_to_bfloat16; }

}  // namespace

void matmul(const MatmulArgs& args) {
  if (args.a.type == Type::float64) {
    MatrixProduct<Single<double>>(args).run();
  } else if (narrow(args.a) && narrow(args.b)) {
    MatrixProduct<ProductOf<bfloat16>>(args).run();
  } else {
    MatrixProduct<Single<float>>(args).run();
  }
}

PT_ISA_END
