// The 16-bit operands of a matrix product as tiles of them are copied, 16 bytes at a time.
//
// An operand that cannot be copied so, since it begins elsewhere, its rows are any number of
// elements apart or long, or it has another type, is written once more, in a form that can: that
// reads it once, where the product's blocks read it many times.
#pragma once

#include "matmul_epilogue.h"

namespace pt::cuda {

// Rows of neighbouring elements; each begins at a multiple of 16 bytes, `columns` of them, a
// multiple of 8, can be read.
struct Operand {
  const void* data;
  int64_t stride;  // between rows, in elements
  int rows, columns;
};

constexpr int kRewriters = 256;  // threads of a block

template <class S>
__global__ void __launch_bounds__(kRewriters)
    rewrite(const Matrix from, const int64_t rows, const int64_t columns, S* to,
            const int64_t stride) {
  constexpr int kSize = kVector<S>;
  const int64_t vectors = stride / kSize;
  const int64_t at = int64_t(blockIdx.x) * kRewriters + threadIdx.x;
  const int64_t row = at / vectors, col = at % vectors * kSize;
  if (row >= rows) return;
  float x[kSize];
  with_elements<float>(from.type, [&](auto stored) {
    const auto* source = static_cast<const decltype(stored)*>(from.data) + row * from.row_stride;
#pragma unroll
    for (int i = 0; i < kSize; i++) {
      x[i] = col + i < columns ? widened(source[(col + i) * from.col_stride]) : 0.0f;
    }
  });
  store_vectors(x, to + row * stride + col);
}

// Of x [rows, columns] what tiles are copied from. `columns` may grow: what is there is zero.
template <class S>
Status make_operand(const Matrix& x, int64_t rows, int64_t columns, Type type, Queue& queue,
                    Operand& operand) {
  constexpr int64_t kSize = kVector<S>;
  operand = {x.data, x.row_stride, int(rows), int(columns)};
  if (rows * columns == 0) return {};
  const bool usable = x.type == type && x.col_stride == 1 && columns % kSize == 0 &&
                      (rows == 1 ? is_aligned(x.data) : rows_are_aligned<S>(x.data, x.row_stride));
  if (usable) return {};
  const int64_t stride = pieces_of(columns, kSize) * kSize, vectors = rows * stride / kSize;
  auto* copy = static_cast<S*>(queue.take(size_t(rows * stride) * sizeof(S)));
  operand = {copy, stride, int(rows), int(stride)};
  return launch("matmul", rewrite<S>, unsigned(pieces_of(vectors, kRewriters)), kRewriters, 0,
                queue, x, rows, columns, copy, stride);
}

}  // namespace pt::cuda
