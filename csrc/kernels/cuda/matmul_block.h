// A matrix product's block on tensor cores, for operands of 16 bits.
//
// A block owns kRows x kCols results, a warp of it 64 x 64 of them where the tile is large, in
// registers: 8 loads of matrices then feed 32 products. The operands' tiles come through kStages
// places in shared memory, all of them on their way ahead of the products. Within a tile, and from
// one to the next, the operands of a step over k are loaded before the products of the step before
// it, so that neither the barrier nor shared memory keeps the tensor cores waiting. Sums leave by
// way of shared memory, in whole vectors of a row.
//
// Sums run over k in steps of 16 from its start, whatever the tile: its size changes no bit.
#pragma once

#include "matmul_operands.h"
#include "tiles.h"

namespace pt::cuda {

// Along k: k is what lies one behind the other in memory.
template <class S, int kLength, int kDepth, bool kAlongK>
struct OperandTile {
  Tile<S, kLength, kDepth> tile;

  template <int kThreads>
  __device__ __forceinline__ void begin(const Operand& from, int first, int k) {
    begin_load<kThreads>(tile, static_cast<const S*>(from.data) + first * from.stride + k,
                         from.stride, from.rows - first, from.columns - k, true);
  }
  __device__ __forceinline__ void left(uint32_t (&a)[4], int row, int k) {
    load_a(a, tile, row, k);
  }
  __device__ __forceinline__ void right(uint32_t (&b)[4], int col, int k) {
    load_b(b, tile, col, k);
  }
};
template <class S, int kLength, int kDepth>
struct OperandTile<S, kLength, kDepth, false> {
  Tile<S, kDepth, kLength> tile;

  template <int kThreads>
  __device__ __forceinline__ void begin(const Operand& from, int first, int k) {
    begin_load<kThreads>(tile, static_cast<const S*>(from.data) + k * from.stride + first,
                         from.stride, from.rows - k, from.columns - first, true);
  }
  __device__ __forceinline__ void left(uint32_t (&a)[4], int row, int k) {
    load_a_transposed(a, tile, k, row);
  }
  __device__ __forceinline__ void right(uint32_t (&b)[4], int col, int k) {
    load_b_transposed(b, tile, k, col);
  }
};

// Sizes of a tile and of a warp's part of it.
template <int kRows_, int kCols_, int kWarpRows_, int kWarpCols_, int kStages_>
struct TileShape {
  static constexpr int kRows = kRows_, kCols = kCols_, kStages = kStages_;
  static constexpr int kWarpRows = kWarpRows_, kWarpCols = kWarpCols_;
  static constexpr int kAcross = kCols / kWarpCols, kWarps = kRows / kWarpRows * kAcross;
  static constexpr int kThreads = kWarps * kWarp, kDepth = 32;
  // Blocks that a multiprocessor has registers for.
  static constexpr int kResident = kWarpRows * kWarpCols < 4096 ? 3 : kWarps < 8 ? 2 : 1;
};

template <class S_, class Shape, bool kAAlongK, bool kBAlongK>
struct ProductConfig : Shape {
  using S = S_;
  static constexpr int kRowTiles = Shape::kWarpRows / 16, kColTiles = Shape::kWarpCols / 8;
  static constexpr int kSumStride = Shape::kWarpCols + 8;  // rows in different banks

  struct Stage {
    OperandTile<S, Shape::kRows, Shape::kDepth, kAAlongK> a;
    OperandTile<S, Shape::kCols, Shape::kDepth, kBAlongK> b;
  };
  union Shared {
    Stage stages[Shape::kStages];
    float sums[Shape::kWarps][16 * kSumStride];
  };
};

struct ProductExtras {
  Operand a, b;
  int part_tiles;  // tiles over k of a part
  bool aligned;    // results_are_aligned
};

// Neighbouring blocks, which run at the same time, share operands in the L2 cache: they take
// columns of kGroup tiles.
struct TilePlace {
  int row, col;

  __device__ __forceinline__ TilePlace(unsigned block, unsigned down, unsigned across) {
    constexpr unsigned kGroup = 16;
    const unsigned group = block / (kGroup * across), first = group * kGroup;
    const unsigned height = min(kGroup, down - first), within = block - first * across;
    row = int(first + within % height);
    col = int(within / height);
  }
};

template <class Config>
class ProductBlock {
 public:
  using S = typename Config::S;
  using Shared = typename Config::Shared;
  static constexpr int kRowTiles = Config::kRowTiles, kColTiles = Config::kColTiles;
  static constexpr int kStages = Config::kStages, kSteps = Config::kDepth / 16;

  __device__ __forceinline__ ProductBlock(const MatmulArgs& args, const ProductExtras& extras)
      : args_(args), extras_(extras), shared_(shared_layout<Shared>()) {
    const auto rows = unsigned(pieces_of(args.m, Config::kRows));
    const auto cols = unsigned(pieces_of(args.n, Config::kCols));
    const TilePlace place(blockIdx.x, rows, cols);
    row_ = place.row * Config::kRows;
    col_ = place.col * Config::kCols;
    const int warp = int(threadIdx.x) / kWarp;
    warp_row_ = warp / Config::kAcross * Config::kWarpRows;
    warp_col_ = warp % Config::kAcross * Config::kWarpCols;
  }

  __device__ __forceinline__ void run() {
    const int all = int(pieces_of(args_.k, Config::kDepth));
    const int first = int(blockIdx.y) * extras_.part_tiles;
    multiply(first, min(all - first, extras_.part_tiles));
    copy_async_wait<0>();
    __syncthreads();  // the operands' memory is free for sums
    finish();
  }

 private:
  struct Fragments {
    uint32_t a[kRowTiles][4], b[kColTiles / 2][4];
  };
  struct alignas(8) Pair {
    float left, right;
  };

  __device__ __forceinline__ void multiply(int first, int tiles) {
    for (int stage = 0; stage < kStages; stage++) {
      if (stage < tiles) begin(first + stage, stage);
      copy_async_commit();
    }
    if (tiles <= 0) return;
    copy_async_wait<kStages - 1>();
    __syncthreads();
    Fragments fragments[2];
    load(0, 0, fragments[0]);
    int stage = 0;
#pragma unroll 1
    for (int tile = 0; tile < tiles; tile++) {
#pragma unroll
      for (int step = 0; step < kSteps; step++) {
        Fragments& next = fragments[(step + 1) % 2];
        if (step + 1 < kSteps) {
          load(stage, step + 1, next);
        } else {
          // The next tile has arrived, and every warp has loaded what it needs of this one, whose
          // place the last in line takes. Behind the last tile nobody uses what is loaded.
          copy_async_wait<kStages - 2>();
          __syncthreads();
          const int free = stage;
          stage = stage + 1 == kStages ? 0 : stage + 1;
          load(stage, 0, next);
          if (tile + kStages < tiles) begin(first + tile + kStages, free);
          copy_async_commit();
        }
        multiply(fragments[step % 2]);
      }
    }
  }

  __device__ __forceinline__ void begin(int tile, int stage) {
    const int k = tile * Config::kDepth;
    auto& to = shared_.stages[stage];
    to.a.template begin<Config::kThreads>(extras_.a, row_, k);
    to.b.template begin<Config::kThreads>(extras_.b, col_, k);
  }

  __device__ __forceinline__ void load(int stage, int step, Fragments& to) {
    auto& from = shared_.stages[stage];
#pragma unroll
    for (int r = 0; r < kRowTiles; r++) from.a.left(to.a[r], warp_row_ + 16 * r, 16 * step);
#pragma unroll
    for (int n = 0; n < kColTiles / 2; n++) {
      from.b.right(to.b[n], warp_col_ + 16 * n, 16 * step);
    }
  }

  __device__ __forceinline__ void multiply(const Fragments& from) {
#pragma unroll
    for (int n = 0; n < kColTiles; n++) {
      const uint32_t (&b)[4] = from.b[n / 2];
#pragma unroll
      for (int r = 0; r < kRowTiles; r++) {
        mma_m16n8k16<S>(sums_[r][n], from.a[r], b[n % 2 * 2], b[n % 2 * 2 + 1]);
      }
    }
  }

  // 16 rows at a time. Registers have no index, so each of their rows has its own copy of the
  // stores to shared memory; of the rest, which is long, there is one.
  __device__ __forceinline__ void finish() {
    constexpr int kSize = 8, kLanes = Config::kWarpCols / kSize;  // lanes of a row
    float* sums = shared_.sums[threadIdx.x / kWarp];
    const int lane = int(threadIdx.x) % kWarp, col = lane % kLanes * kSize;
    const Finish<float, kSize> finish_columns(args_, extras_.aligned, col_ + warp_col_ + col);
#pragma unroll 1
    for (int r = 0; r < kRowTiles; r++) {
#pragma unroll
      for (int own = 0; own < kRowTiles; own++) {
        if (own == r) store_sums(sums_[own], sums);
      }
      __syncwarp();
#pragma unroll 1
      for (int i = lane / kLanes; i < 16; i += kWarp / kLanes) {
        float x[kSize];
        load_vectors(sums + i * Config::kSumStride + col, x);
        const int64_t row = row_ + warp_row_ + 16 * r + i;
        // The rows of a part lie behind those of the part before.
        if (row < args_.m) finish_columns(row + blockIdx.y * args_.m, x);
      }
      __syncwarp();
    }
  }
  __device__ __forceinline__ void store_sums(const float (&x)[kColTiles][4], float* to) const {
#pragma unroll
    for (int n = 0; n < kColTiles; n++) {
#pragma unroll
      for (int half = 0; half < 2; half++) {
        float* at = to + accumulator_row(2 * half) * Config::kSumStride + 8 * n;
        *reinterpret_cast<Pair*>(at + accumulator_column(0)) = {x[n][2 * half], x[n][2 * half + 1]};
      }
    }
  }

  const MatmulArgs& args_;
  const ProductExtras& extras_;
  Shared& shared_;
  int row_, col_, warp_row_, warp_col_;
  float sums_[kRowTiles][kColTiles][4] = {};
};

template <class Config>
__global__ void __launch_bounds__(Config::kThreads, Config::kResident)
    multiply_tiles_of(const __grid_constant__ MatmulArgs args,
                      const __grid_constant__ ProductExtras extras) {
  ProductBlock<Config>(args, extras).run();
}

}  // namespace pt::cuda
