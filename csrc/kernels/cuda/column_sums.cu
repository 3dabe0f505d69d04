// Column sums. A block takes kRowChunk rows of one tile of columns, each lane one vector of every
// row, each warp every kWarps-th row; its warps' sums are added in order to one partial row for
// each chunk. A second kernel adds the partial rows.
#include "partial_rows.h"
#include "vectors.h"

namespace pt::cuda {
namespace {

constexpr int kWarps = 8, kThreads = kWarps * kWarp;
constexpr int kRowChunk = 64;

template <class S>
struct Tile {
  using T = Compute<S>;
  static constexpr int kSize = kVector<S>, kColumns = kSize * kWarp;
  T sums[kWarps][kColumns];
};

// partial[chunk, n]; blocks are numbered by tiles of columns, then chunks.
template <class S>
__global__ void __launch_bounds__(kThreads)
    sum_chunk(const ColumnSumsArgs args, Compute<S>* partial, unsigned tiles, bool aligned) {
  using T = Compute<S>;
  constexpr int kSize = Tile<S>::kSize, kColumns = Tile<S>::kColumns;
  auto& shared = shared_layout<Tile<S>>();
  const int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp;
  const int64_t chunk = blockIdx.x / tiles, first = int64_t(blockIdx.x % tiles) * kColumns;
  const int64_t j = first + lane * kSize;
  T sums[kSize] = {};
  if (j < args.n) {
#pragma unroll 4
    for (int i = warp; i < kRowChunk; i += kWarps) {
      const int64_t row = chunk * kRowChunk + i;
      if (row >= args.m) break;
      T x[kSize];
      load_up_to(static_cast<const S*>(args.x) + row * args.row_stride + j, args.n - j, aligned, x);
#pragma unroll
      for (int e = 0; e < kSize; e++) sums[e] += x[e];
    }
  }
#pragma unroll
  for (int e = 0; e < kSize; e++) shared.sums[warp][lane * kSize + e] = sums[e];
  __syncthreads();
  for (int c = threadIdx.x; c < kColumns && first + c < args.n; c += kThreads) {
    T total = 0;
#pragma unroll
    for (int other = 0; other < kWarps; other++) total += shared.sums[other][c];
    partial[chunk * args.n + first + c] = total;
  }
}

template <class T, class Out>
struct ColumnOutput {
  Out* out;
  bool accumulate;
  __device__ __forceinline__ void store(int64_t j, T total) const {
    if (accumulate) total += T(widened(out[j]));
    out[j] = narrowed<Out>(Compute<Out>(total));
  }
};

template <class S>
Status sums(const ColumnSumsArgs& args, Queue& queue) {
  using T = Compute<S>;
  constexpr const char* name = "column_sums";
  const int64_t chunks = pieces_of(args.m, kRowChunk);
  const int64_t tiles = pieces_of(args.n, Tile<S>::kColumns);
  T* partial = static_cast<T*>(queue.take(size_t(chunks * args.n) * sizeof(T)));
  if (chunks > 0) {
    const Status status =
        launch(name, sum_chunk<S>, unsigned(chunks * tiles), kThreads, sizeof(Tile<S>), queue, args,
               partial, unsigned(tiles), rows_are_aligned<S>(args.x, args.row_stride));
    if (status.failed()) return status;
  }
  return with_storage(args.out_type, [&](auto out) {
    using Out = decltype(out);
    const ColumnOutput<T, Out> output{static_cast<Out*>(args.out), args.accumulate};
    return launch_add_partial_rows(name, partial, chunks, args.n, output, queue);
  });
}

}  // namespace

Status column_sums(const ColumnSumsArgs& args, Queue& queue) {
  if (args.n == 0) return {};
  return with_storage(args.type, [&](auto stored) { return sums<decltype(stored)>(args, queue); });
}

}  // namespace pt::cuda
