// Copies of the caller's matrices, of any type and stride, into the words that tiles work on.
#pragma once

#include "../types.h"
#include "arithmetic.h"
#include "product.h"

PT_ISA_BEGIN
namespace {

template <class S>
PT_INLINE const S* element(const Matrix& m, int64_t row, int64_t col) {
  return static_cast<const S*>(m.data) + row * m.row_stride + col * m.col_stride;
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

// Words along the depth: out[i * out_stride + w] is word w of row i, whose elements lie side by
// side from source + i * row_stride on. Writes whole vectors of words.
template <class P, class S>
void pack_along(const S* source, int64_t row_stride, int64_t rows, int64_t depth,
                typename P::Word* out, int64_t out_stride) {
  constexpr int64_t step = P::V::size * P::kDepth;
  for (int64_t i = 0; i < rows; i++) {
    const S* from = source + i * row_stride;
    typename P::Word* to = out + i * out_stride;
    for (int64_t k = 0; k < depth; k += step) {
      P::along_depth(from + k, depth - k).store(to + k / P::kDepth);
    }
  }
}

// Panels whose words lie across the depth, `width` columns each, a multiple of the vector's size:
// word w of column j of panel i goes to out[i * out_stride + w * width + j]. Panel i begins at
// column starts[i]; columns from `limit` on are zero.
template <class P>
struct Panels {
  typename P::Word* out;
  int64_t out_stride, count, width, limit;
  const int64_t* starts;
};

// Asks for elements p[0 .. count), which will be read soon: runs are too short for the processor to
// see them coming.
template <class S>
PT_INLINE void prefetch(const S* p, int64_t count) {
  for (int64_t i = 0; i < count; i += 64 / int64_t(sizeof(S))) __builtin_prefetch(p + i);
}

constexpr int64_t kAhead = 8;  // words of the depth

// Where the rows of the source are the depth: element (k, j) at source[k * row_stride + j]. Row by
// row through all panels: what is read lies side by side.
template <class P, class S>
void pack_across(const S* source, int64_t row_stride, int64_t depth, const Panels<P>& to) {
  using V = typename P::V;
  for (int64_t k = 0; k < depth; k += P::kDepth) {
    const S* from = source + k * row_stride;
    const bool last = k + 1 == depth;
    typename P::Word* out = to.out + k / P::kDepth * to.width;
    for (int64_t i = 0; i < to.count; i++, out += to.out_stride) {
      const S* row = from + to.starts[i];
      const int64_t cols = min(to.width, to.limit - to.starts[i]);
      int64_t j = 0;
      for (; j + V::size <= cols; j += V::size) {
        for (int64_t d = 0; d < P::kDepth; d++) {
          prefetch(row + j + (kAhead * P::kDepth + d) * row_stride, V::size);
        }
        P::across_depth(row + j, row_stride, last, V::size).store(out + j);
      }
      for (; j < to.width; j += V::size) {
        (j < cols ? P::across_depth(row + j, row_stride, last, cols - j) : V::zero())
            .store(out + j);
      }
    }
  }
}

// Where the depth lies along the rows of the source: element (k, j) at source[j * row_stride + k].
// Register blocks of size x size words.
template <class P, class S>
void pack_transposed(const S* source, int64_t row_stride, int64_t depth, int64_t cols,
                     int64_t width, typename P::Word* out) {
  using V = typename P::V;
  const int64_t words = words_of<P>(depth);
  for (int64_t j = 0; j < width; j += V::size) {
    for (int64_t w = 0; w < words; w += V::size) {
      const int64_t k = w * P::kDepth;
      V block[V::size];
      PT_UNROLL
      for (int r = 0; r < V::size; r++) {
        prefetch(source + (j + r + V::size) * row_stride + k, V::size * P::kDepth);
        block[r] =
            j + r < cols ? P::along_depth(source + (j + r) * row_stride + k, depth - k) : V::zero();
      }
      V::transpose(block);
      const int64_t full = min(words - w, V::size);
      for (int r = 0; r < full; r++) block[r].store(out + (w + r) * width + j);
    }
  }
}

// Element (k, j) at source[k * row_stride + j * col_stride], any strides.
template <class P, class S>
void pack_scattered(const S* source, int64_t row_stride, int64_t col_stride, int64_t depth,
                    int64_t cols, int64_t width, typename P::Word* out) {
  constexpr int64_t size = P::V::size;
  for (int64_t k = 0; k < depth; k += P::kDepth) {
    for (int64_t j = 0; j < width; j += size) {
      S block[P::kDepth * size] = {};
      for (int64_t r = 0; r < min(P::kDepth, depth - k); r++) {
        for (int64_t c = 0; c < min(size, cols - j); c++) {
          block[r * size + c] = source[(k + r) * row_stride + (j + c) * col_stride];
        }
      }
      P::across_depth(block, size, false, size).store(out + j);
    }
    out += width;
  }
}

// body(a value of the type that m's elements are read as).
template <class P, class Body>
PT_INLINE void with_source(const Matrix& m, const Body& body) {
  if constexpr (sizeof(typename P::Word) == 8) {
    body(double());
  } else if (m.type == Type::bfloat16) {
    body(bfloat16());
  } else if (P::kDepth == 2 || m.round_to_bfloat16) {
    body(Rounded());
  } else if constexpr (P::kDepth == 1) {
    body(float());
  }
}

// Rows row .. row + rows of m, whose columns col .. col + depth lie side by side.
template <class P>
void pack_rows(const Matrix& m, int64_t row, int64_t col, int64_t rows, int64_t depth,
               typename P::Word* out, int64_t out_stride) {
  with_source<P>(m, [&](auto type) {
    using S = decltype(type);
    pack_along<P>(element<S>(m, row, col), m.row_stride, rows, depth, out, out_stride);
  });
}

// Panels of columns of m counted from `col`, for the depth row .. row + depth, whatever its
// strides.
template <class P>
void pack_columns(const Matrix& m, int64_t row, int64_t col, int64_t depth, const Panels<P>& to) {
  with_source<P>(m, [&](auto type) {
    using S = decltype(type);
    if (m.col_stride == 1) {
      return pack_across<P>(element<S>(m, row, col), m.row_stride, depth, to);
    }
    for (int64_t i = 0; i < to.count; i++) {
      const S* from = element<S>(m, row, col + to.starts[i]);
      typename P::Word* out = to.out + i * to.out_stride;
      const int64_t cols = min(to.width, to.limit - to.starts[i]);
      if (m.row_stride == 1) {
        pack_transposed<P>(from, m.col_stride, depth, cols, to.width, out);
      } else {
        pack_scattered<P>(from, m.row_stride, m.col_stride, depth, cols, to.width, out);
      }
    }
  });
}

}  // namespace
PT_ISA_END
