// The softmax of one row of logits, as cross-entropy and top_log_probs need it.
#pragma once

#include "arithmetic.h"
#include "simd/vector.h"

PT_ISA_BEGIN
namespace {

// Of a row of `n` logits in a buffer that is padded to whole vectors.
template <class T>
struct RowSoftmax {
  using V = Vector<T>;
  T largest, sum;  // sum of exp(x - largest)
  T total;         // of the logits themselves

  // Overwrites the padding. Where `exponentials` is not null it receives exp(x - largest); it may
  // be the row itself.
  PT_INLINE RowSoftmax(T* row, int64_t n, T* exponentials) {
    const int64_t width = round_up(n, V::size), whole = n / V::size * V::size;
    V added = V::zero(), top = V::broadcast(-__builtin_inff());
    for (int64_t j = 0; j < whole; j += V::size) {
      const V x = V::load(row + j);
      added = added + x;
      top = V::max(x, top);
    }
    if (whole < n) {
      added = added + V::load(row + whole, int(n - whole));
      for (int64_t j = n; j < width; j++) row[j] = -__builtin_inff();
      top = V::max(V::load(row + whole), top);
    }
    total = added.sum();
    largest = top.maximum();
    const V log2e = V::broadcast(T(kLog2e)), shift = V::broadcast(largest);
    V exponentials_sum = V::zero();
    for (int64_t j = 0; j < width; j += V::size) {
      const V e = V::exp2((V::load(row + j) - shift) * log2e);
      exponentials_sum = exponentials_sum + e;
      if (exponentials != nullptr) e.store(exponentials + j);
    }
    sum = exponentials_sum.sum();
  }

  PT_INLINE T log_sum_exp() const { return largest + T(__builtin_log(double(sum))); }
};

}  // namespace
PT_ISA_END
