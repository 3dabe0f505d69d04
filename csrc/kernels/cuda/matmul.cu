// The matrix product: which arithmetic, and in how many parts.
//
// Gradients of weights are small matrices with long sums, over all rows of a batch: too few tiles
// to fill a device. Their sums are cut into parts of a constant depth, for which blocks of their
// own write partial results that are added in order. Whether and where is decided by k, n and the
// form of `a` alone, which lies by columns there: every other product is one chain of products over
// k, and no product's sums know of its other rows.
#include "matmul_launch.h"

namespace pt::cuda {
namespace {

constexpr int64_t kPartDepth = 4096;
constexpr int64_t kMostColumns = 2048;  // beyond, there are tiles enough

Parts parts_of(const MatmulArgs& args) {
  const bool of_weights = args.a.row_stride == 1 && args.a.col_stride != 1;
  if (!of_weights || args.n > kMostColumns || args.k < 2 * kPartDepth) return {1, args.k};
  return {pieces_of(args.k, kPartDepth), kPartDepth};
}

Status multiply(Type type, const MatmulArgs& args, const Parts& parts, Queue& queue) {
  switch (type) {
    case Type::bfloat16:
      return multiply_halves<bfloat16>(args, parts, queue);
    case Type::float16:
      return multiply_halves<float16>(args, parts, queue);
    case Type::float64:
      return multiply_plain<double>(args, parts, queue);
    default:
      return multiply_plain<float>(args, parts, queue);
  }
}

constexpr int kAdders = 128;  // threads of a block

// Adds the parts [count, m, stride] of each element in order and finishes it; a thread takes kSize
// neighbours.
template <class T>
__global__ void __launch_bounds__(kAdders)
    add_parts(const __grid_constant__ MatmulArgs args, const T* parts, const int count,
              const int64_t stride, const bool aligned) {
  constexpr int kSize = 16 / int(sizeof(T)) * 2;
  const int64_t at = int64_t(blockIdx.x) * kAdders + threadIdx.x;
  const int64_t row = at / (stride / kSize), col = at % (stride / kSize) * kSize;
  if (row >= args.m) return;
  T sum[kSize] = {};
  for (int part = 0; part < count; part++) {
    T x[kSize];
    load_vectors(parts + (part * args.m + row) * stride + col, x);
#pragma unroll
    for (int i = 0; i < kSize; i++) sum[i] += x[i];
  }
  const Finish<T, kSize> finish_columns(args, aligned, col);
  finish_columns(row, sum);
}

template <class T>
Status multiply_in_parts(Type type, const MatmulArgs& args, const Parts& parts, Queue& queue) {
  constexpr int64_t kSize = 16 / int64_t(sizeof(T)) * 2;
  const int64_t stride = pieces_of(args.n, kSize) * kSize, rows = parts.count * args.m;
  auto* sums = static_cast<T*>(queue.take(size_t(rows * stride) * sizeof(T)));
  MatmulArgs to_sums = args;
  to_sums.accumulate = false;
  to_sums.epilogue = {};
  to_sums.out = sums;
  to_sums.out_type = sizeof(T) == 8 ? Type::float64 : Type::float32;
  to_sums.out_stride = stride;
  const Status status = multiply(type, to_sums, parts, queue);
  if (status.failed()) return status;
  const int64_t blocks = pieces_of(args.m * stride / kSize, kAdders);
  return launch("matmul", add_parts<T>, unsigned(blocks), kAdders, 0, queue, args, sums,
                int(parts.count), stride, results_are_aligned(args));
}

}  // namespace

Type entering_type(const Matrix& a, const Matrix& b) {
  if (a.type == Type::float64) return a.type;
  const auto is_narrow = [](const Matrix& x) { return is_half(x.type) || x.round_to_bfloat16; };
  if (!is_narrow(a) || !is_narrow(b)) return Type::float32;
  // What is rounded follows the operand that it meets.
  const Type of_a = is_half(a.type) ? a.type : is_half(b.type) ? b.type : Type::bfloat16;
  const Type of_b = is_half(b.type) ? b.type : of_a;
  return of_a == of_b ? of_a : Type::float32;
}

Status matmul(const MatmulArgs& args, Queue& queue) {
  if (args.m == 0 || args.n == 0) return {};
  const Type type = entering_type(args.a, args.b);
  const Parts parts = parts_of(args);
  if (parts.count == 1) return multiply(type, args, parts, queue);
  return type == Type::float64 ? multiply_in_parts<double>(type, args, parts, queue)
                               : multiply_in_parts<float>(type, args, parts, queue);
}

}  // namespace pt::cuda
