// Launching matrix products on tensor cores: the form of the operands and the size of tiles. Each
// type of operands has a file of its own, since nvcc takes its time over them.
#pragma once

#include "matmul_launch.h"

namespace pt::cuda {

// 96 KiB of shared memory at most, which every device since compute capability 8.0 has. What L2
// caches deliver is the limit of large products: 128 x 256 results take the least of it, and leave
// no registers for a second block. Smaller tiles are for products that would not fill the device.
using LargeTile = TileShape<128, 256, 64, 64, 4>;
using MiddleTile = TileShape<128, 128, 64, 64, 3>;
using SmallTile = TileShape<64, 64, 32, 32, 4>;

template <class S>
class HalvesLauncher {
 public:
  HalvesLauncher(const MatmulArgs& args, const Parts& parts, Queue& queue)
      : args_(args), parts_(parts), queue_(queue) {}

  // Of the four ways in which operands lie, one is nobody's: a by columns beside b by columns. Such
  // a product rewrites b.
  Status run() {
    const Matrix b = args_.b.transposed();
    const bool a_along_k = args_.a.col_stride == 1 || args_.a.row_stride != 1;
    const bool b_along_k = a_along_k && b.row_stride != 1;
    const Status of_a = make(args_.a, args_.m, a_along_k, extras_.a);
    if (of_a.failed()) return of_a;
    const Status of_b = make(b, args_.n, b_along_k, extras_.b);
    if (of_b.failed()) return of_b;
    extras_.aligned = results_are_aligned(args_);
    if (!a_along_k) return with_tile<false, false>();
    return b_along_k ? with_tile<true, true>() : with_tile<true, false>();
  }

 private:
  // Of x [length, k].
  Status make(const Matrix& x, int64_t length, bool along_k, Operand& operand) {
    constexpr Type kType = sizeof(S) == 2 && is_bfloat16(S{}) ? Type::bfloat16 : Type::float16;
    return along_k ? make_operand<S>(x, length, args_.k, kType, queue_, operand)
                   : make_operand<S>(x.transposed(), args_.k, length, kType, queue_, operand);
  }
  static constexpr bool is_bfloat16(bfloat16) { return true; }
  static constexpr bool is_bfloat16(float16) { return false; }

  template <bool kAAlongK, bool kBAlongK>
  Status with_tile() {
    const double large = cost_of<LargeTile>(args_, parts_, queue_, 1.0);
    const double middle = cost_of<MiddleTile>(args_, parts_, queue_, 1.2);
    const double small = cost_of<SmallTile>(args_, parts_, queue_, 1.8);
    if (small < large && small < middle) return start<SmallTile, kAAlongK, kBAlongK>();
    if (middle < large) return start<MiddleTile, kAAlongK, kBAlongK>();
    return start<LargeTile, kAAlongK, kBAlongK>();
  }

  template <class Shape, bool kAAlongK, bool kBAlongK>
  Status start() {
    using Config = ProductConfig<S, Shape, kAAlongK, kBAlongK>;
    static_assert(sizeof(typename Config::Shared) <= 99 << 10);
    extras_.part_tiles = int(pieces_of(parts_.depth, Shape::kDepth));
    const int64_t blocks = pieces_of(args_.m, Shape::kRows) * pieces_of(args_.n, Shape::kCols);
    return launch("matmul", multiply_tiles_of<Config>,
                  dim3(unsigned(blocks), unsigned(parts_.count)), Config::kThreads,
                  sizeof(typename Config::Shared), queue_, args_, extras_);
  }

  const MatmulArgs& args_;
  const Parts& parts_;
  Queue& queue_;
  ProductExtras extras_{};
};

template <class S>
Status multiply_halves(const MatmulArgs& args, const Parts& parts, Queue& queue) {
  return HalvesLauncher<S>(args, parts, queue).run();
}

}  // namespace pt::cuda
