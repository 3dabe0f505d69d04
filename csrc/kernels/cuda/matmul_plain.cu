// The matrix product in plain arithmetic, for operands of float32 and float64, and for those of
// different types, which meet in float32.
//
// 16 x 16 threads of a block share a tile of results; each holds kMicro x kMicro of them in
// registers, in groups of one vector, a sixteenth of the tile apart. Operands come through
// registers, where they are converted: any type, any strides. While a tile over k is multiplied,
// the next one is on its way, and it is written to the other half of shared memory.
//
// An element's sum is one chain over k from its start.
#include "matmul_launch.h"

namespace pt::cuda {
namespace {

constexpr int kSide = 16, kThreads = kSide * kSide, kDepth = 8;

template <class T_, int kMicro_>
struct PlainConfig {
  using T = T_;
  static constexpr int kMicro = kMicro_, kSize = kVector<T>, kGroups = kMicro / kSize;
  static constexpr int kRows = kSide * kMicro, kCols = kRows;
  static constexpr int kLoads = kRows * kDepth / kThreads;  // of one operand, by a thread
  static constexpr int kStride = kRows + kSize;  // as k passes, other banks

  struct Shared {
    T a[2][kDepth][kStride], b[2][kDepth][kStride];
  };
};

// An operand as a block reads it: this thread's part of rows of a, or columns of b, [first, first +
// kSide kMicro) of `length`.
template <class Config>
class PlainOperand {
 public:
  using T = typename Config::T;
  static constexpr int kLoads = Config::kLoads;

  // Neighbouring threads read neighbouring memory.
  __device__ __forceinline__ PlainOperand(const Matrix& x, int64_t row_stride, int64_t k_stride,
                                          int64_t length, int64_t first, int64_t k)
      : x_(x), k_stride_(k_stride), rows_(int(min(length - first, int64_t(Config::kRows)))) {
    const int thread = threadIdx.x;
    const bool along_k = k_stride == 1;
    row_ = along_k ? thread / kDepth : thread % Config::kRows;
    k_ = along_k ? thread % kDepth : thread / Config::kRows;
    row_step_ = along_k ? kThreads / kDepth : 0;
    k_step_ = along_k ? 0 : kThreads / Config::kRows;
    offset_ = (first + row_) * row_stride + (k + k_) * k_stride;
    step_ = row_step_ * row_stride + k_step_ * k_stride;
  }

  // The next kDepth elements along k, of which `depth` are left, and zeros beyond.
  __device__ __forceinline__ void load(int depth, T (&to)[kLoads]) {
    with_elements<T>(x_.type, [&](auto stored) {
      const auto* data = static_cast<const decltype(stored)*>(x_.data) + offset_;
#pragma unroll
      for (int i = 0; i < kLoads; i++) {
        const bool inside = row_ + i * row_step_ < rows_ && k_ + i * k_step_ < depth;
        to[i] = inside ? T(widened(data[i * step_])) : T(0);
      }
    });
    offset_ += kDepth * k_stride_;
    if constexpr (sizeof(T) == 4) {
      if (!x_.round_to_bfloat16) return;
#pragma unroll
      for (int i = 0; i < kLoads; i++) to[i] = to_float(to_bfloat16(to[i]));
    }
  }
  __device__ __forceinline__ void store(const T (&from)[kLoads],
                                        T (&to)[kDepth][Config::kStride]) const {
#pragma unroll
    for (int i = 0; i < kLoads; i++) to[k_ + i * k_step_][row_ + i * row_step_] = from[i];
  }

 private:
  const Matrix& x_;
  const int64_t k_stride_;
  const int rows_;
  int64_t offset_, step_;  // of this thread's next element; between those of one load
  int row_, k_, row_step_, k_step_;
};

// Where in its tile element i of a thread lies that is number `thread` of its side.
template <class Config>
__device__ __forceinline__ int micro_place(int thread, int i) {
  return i / Config::kSize * (kSide * Config::kSize) + thread * Config::kSize + i % Config::kSize;
}

template <class Config>
class PlainBlock {
 public:
  using T = typename Config::T;
  using Shared = typename Config::Shared;
  static constexpr int kMicro = Config::kMicro, kSize = Config::kSize, kGroups = Config::kGroups;

  __device__ __forceinline__ PlainBlock(const MatmulArgs& args, bool aligned)
      : args_(args), aligned_(aligned), shared_(shared_layout<Shared>()),
        across_(int(threadIdx.x) % kSide), down_(int(threadIdx.x) / kSide) {
    const int64_t tiles = pieces_of(args.m, Config::kRows);
    row_ = int64_t(blockIdx.x) % tiles * Config::kRows;
    col_ = int64_t(blockIdx.x) / tiles * Config::kCols;
  }

  __device__ __forceinline__ void run(int64_t part_depth) {
    const int64_t first = blockIdx.y * part_depth;
    multiply(first, int(min(part_depth, args_.k - first)));
    finish();
  }

 private:
  __device__ __forceinline__ void multiply(int64_t first, int depth) {
    PlainOperand<Config> a(args_.a, args_.a.row_stride, args_.a.col_stride, args_.m, row_, first);
    PlainOperand<Config> b(args_.b, args_.b.col_stride, args_.b.row_stride, args_.n, col_, first);
    T next_a[Config::kLoads], next_b[Config::kLoads];
    a.load(depth, next_a);
    b.load(depth, next_b);
    int half = 0;
#pragma unroll 1
    for (int k = 0; k < depth; k += kDepth, half ^= 1) {
      a.store(next_a, shared_.a[half]);
      b.store(next_b, shared_.b[half]);
      // Also: every warp is done with the other half, which comes next.
      __syncthreads();
      a.load(depth - k - kDepth, next_a);
      b.load(depth - k - kDepth, next_b);
      multiply(half);
    }
  }

  __device__ __forceinline__ void multiply(int half) {
#pragma unroll 2  // more, and vectors loaded ahead take the registers of a second block
    for (int k = 0; k < kDepth; k++) {
      T a[kGroups][kSize], b[kGroups][kSize];
#pragma unroll
      for (int g = 0; g < kGroups; g++) {
        load_vectors(&shared_.a[half][k][micro_place<Config>(down_, g * kSize)], a[g]);
        load_vectors(&shared_.b[half][k][micro_place<Config>(across_, g * kSize)], b[g]);
      }
#pragma unroll
      for (int i = 0; i < kMicro; i++) {
#pragma unroll
        for (int j = 0; j < kMicro; j++) {
          sums_[i][j / kSize][j % kSize] += a[i / kSize][i % kSize] * b[j / kSize][j % kSize];
        }
      }
    }
  }

  // A row at a time: registers have no index, so each is moved to where the one copy of what
  // follows, which is long, expects it.
  __device__ __forceinline__ void finish() {
#pragma unroll 1
    for (int i = 0; i < kMicro; i++) {
      T x[kGroups][kSize] = {};
#pragma unroll
      for (int own = 0; own < kMicro; own++) {
        if (own != i) continue;
#pragma unroll
        for (int j = 0; j < kMicro; j++) {
          x[j / kSize][j % kSize] = sums_[own][j / kSize][j % kSize];
        }
      }
      const int64_t row = row_ + micro_place<Config>(down_, i);
      if (row >= args_.m) continue;
#pragma unroll
      for (int g = 0; g < kGroups; g++) {
        const Finish<T, kSize> finish_columns(args_, aligned_,
                                              col_ + micro_place<Config>(across_, g * kSize));
        // The rows of a part lie behind those of the part before.
        finish_columns(row + blockIdx.y * args_.m, x[g]);
      }
    }
  }

  const MatmulArgs& args_;
  const bool aligned_;
  Shared& shared_;
  const int across_, down_;
  int64_t row_, col_;
  T sums_[kMicro][kGroups][kSize] = {};
};

template <class Config>
__global__ void __launch_bounds__(kThreads, sizeof(typename Config::T) == 8 ? 1 : 2)
    multiply_plain_tiles(const __grid_constant__ MatmulArgs args, const bool aligned,
                         const int64_t part_depth) {
  PlainBlock<Config>(args, aligned).run(part_depth);
}

template <class Config>
Status start(const MatmulArgs& args, const Parts& parts, Queue& queue) {
  const int64_t blocks = pieces_of(args.m, Config::kRows) * pieces_of(args.n, Config::kCols);
  return launch("matmul", multiply_plain_tiles<Config>,
                dim3(unsigned(blocks), unsigned(parts.count)), kThreads,
                sizeof(typename Config::Shared), queue, args, results_are_aligned(args),
                parts.depth);
}

}  // namespace

template <>
Status multiply_plain<float>(const MatmulArgs& args, const Parts& parts, Queue& queue) {
  using Large = PlainConfig<float, 8>;
  using Small = PlainConfig<float, 4>;
  const bool large =
      cost_of<Large>(args, parts, queue, 1.0) < cost_of<Small>(args, parts, queue, 1.3);
  return large ? start<Large>(args, parts, queue) : start<Small>(args, parts, queue);
}

template <>
Status multiply_plain<double>(const MatmulArgs& args, const Parts& parts, Queue& queue) {
  return start<PlainConfig<double, 4>>(args, parts, queue);
}

}  // namespace pt::cuda
