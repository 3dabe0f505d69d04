// How layer norm walks over rows: kRows at a time, so that the long dependencies of one (sums over
// lanes, the root) hide behind the others.
#pragma once

#include "../layer_norm.h"
#include "arithmetic.h"
#include "philox.h"
#include "scratch.h"

PT_ISA_BEGIN
namespace {

constexpr int kRows = 4;

template <class S>
PT_INLINE const S* row_of(const void* p, int64_t row, int64_t stride) {
  return static_cast<const S*>(p) + row * stride;
}

// A parameter in the arithmetic's type, zero up to whole vectors.
template <class T>
T* padded(Scratch& scratch, const Parameters& from, int64_t n) {
  using V = Vector<T>;
  T* values = scratch.take<T>(round_up(n, V::size));
  for (int64_t j = 0; j < n; j += V::size) {
    load_typed<V>(from.data, from.type, j, n - j).store(values + j);
  }
  return values;
}

template <int kValue>
struct Count {
  static constexpr int value = kValue;
};

// body(first row, how many as a type) over rows first .. last.
template <class Body>
PT_INLINE void by_rows(int64_t first, int64_t last, const Body& body) {
  int64_t row = first;
  for (; row + kRows <= last; row += kRows) body(row, Count<kRows>());
  for (; row < last; row++) body(row, Count<1>());
}

}  // namespace
PT_ISA_END
