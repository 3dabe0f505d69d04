// Copies between the caller's matrices, of any type and stride, and the float32 or float64 buffers
// that tiles work on.
#pragma once

#include "../types.h"
#include "simd/vector.h"

PT_ISA_BEGIN
namespace {

template <class S>
PT_INLINE const S* element(const Matrix& m, int64_t row, int64_t col) {
  return static_cast<const S*>(m.data) + row * m.row_stride + col * m.col_stride;
}

template <class T>
PT_INLINE T rounded_to_bfloat16(T x) {
  bfloat16 r;
  convert(r, x);
  T out;
  convert(out, r);
  return out;
}

// out[i * out_stride + j] = source[i * row_stride + j], zero beyond cols up to padded_cols.
template <class T, class S>
void copy_rows(const S* source, int64_t row_stride, int64_t rows, int64_t cols, T* out,
               int64_t out_stride, int64_t padded_cols) {
  using V = Vector<T>;
  for (int64_t i = 0; i < rows; i++) {
    const S* from = source + i * row_stride;
    T* to = out + i * out_stride;
    int64_t j = 0;
    for (; j + V::size <= cols; j += V::size) V::load(from + j).store(to + j);
    for (; j < padded_cols; j += V::size) {
      const int64_t left = cols - j;
      store_up_to(left > 0 ? load_up_to<V>(from + j, left) : V::zero(), to + j, padded_cols - j);
    }
  }
}

// out[j * out_stride + i] = source[i * row_stride + j] for i < rows, j < cols; lanes i from rows up
// to `width` are zero. Register blocks of size x size.
template <class T, class S>
void copy_transposed(const S* source, int64_t row_stride, int64_t rows, int64_t cols, int64_t width,
                     T* out, int64_t out_stride) {
  using V = Vector<T>;
  for (int64_t i = 0; i < width; i += V::size) {
    for (int64_t j = 0; j < cols; j += V::size) {
      V block[V::size];
      PT_UNROLL
      for (int r = 0; r < V::size; r++) {
        block[r] =
            i + r < rows ? load_up_to<V>(source + (i + r) * row_stride + j, cols - j) : V::zero();
      }
      V::transpose(block);
      const int64_t full = cols - j < V::size ? cols - j : V::size;
      for (int r = 0; r < full; r++) {
        store_up_to(block[r], out + (j + r) * out_stride + i, width - i);
      }
    }
  }
}

// out[i * out_stride + j] = m[row + i, col + j] for i < rows, j < cols; columns up to padded_cols
// are zero. Any strides.
template <class T, class S>
void pack_rows_of(const Matrix& m, int64_t row, int64_t col, int64_t rows, int64_t cols, T* out,
                  int64_t out_stride, int64_t padded_cols) {
  if (m.col_stride == 1) {
    copy_rows(element<S>(m, row, col), m.row_stride, rows, cols, out, out_stride, padded_cols);
  } else if (m.row_stride == 1) {
    copy_transposed(element<S>(m, row, col), m.col_stride, cols, rows, padded_cols, out,
                    out_stride);
  } else {
    for (int64_t i = 0; i < rows; i++) {
      for (int64_t j = 0; j < padded_cols; j++) {
        T x = 0;
        if (j < cols) convert(x, *element<S>(m, row + i, col + j));
        out[i * out_stride + j] = x;
      }
    }
  }
}

template <class T>
void pack_rows(const Matrix& m, int64_t row, int64_t col, int64_t rows, int64_t cols, T* out,
               int64_t out_stride, int64_t padded_cols) {
  if constexpr (sizeof(T) == 8) {
    pack_rows_of<T, double>(m, row, col, rows, cols, out, out_stride, padded_cols);
  } else if (m.type == Type::bfloat16) {
    pack_rows_of<T, bfloat16>(m, row, col, rows, cols, out, out_stride, padded_cols);
  } else {
    pack_rows_of<T, float>(m, row, col, rows, cols, out, out_stride, padded_cols);
    if (m.round_to_bfloat16) {
      for (int64_t i = 0; i < rows; i++) {
        for (int64_t j = 0; j < cols; j++) {
          out[i * out_stride + j] = rounded_to_bfloat16(out[i * out_stride + j]);
        }
      }
    }
  }
}

}  // namespace
PT_ISA_END
