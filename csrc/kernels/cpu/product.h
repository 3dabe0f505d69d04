// How two operands meet in a register tile. A product is computed on words: floats or doubles as
// they are, or pairs of bfloat16 numbers where the instruction set multiplies those.
#pragma once

#include "arithmetic.h"
#include "simd/vector.h"

PT_ISA_BEGIN
namespace {

template <class V>
PT_INLINE V load_up_to(const Rounded* p, int64_t left) {
  const V exact = load_up_to<V>(&p->value, left);
  bfloat16 narrow[V::size];
  exact.store(narrow);
  return V::load(narrow);
}

// One element is one word.
template <class T>
struct Single {
  using Word = T;
  using Element = T;
  using V = Vector<T>;
  static constexpr int kDepth = 1;  // elements of a word

  static PT_INLINE V multiply_add(V a, V b, V c) { return V::fma(a, b, c); }

  // A vector of words of one row: elements p[0 .. left), zero beyond.
  template <class S>
  static PT_INLINE V along_depth(const S* p, int64_t left) {
    return load_up_to<V>(p, left);
  }
  // One word of each of a vector of columns; p[0 .. left), zero beyond.
  template <class S>
  static PT_INLINE V across_depth(const S* p, int64_t, bool, int64_t left) {
    return load_up_to<V>(p, left);
  }
  // The same from rows in registers.
  static PT_INLINE V across_depth(const V (&rows)[1]) { return rows[0]; }
  // Words without the elements that are not `kept`.
  static PT_INLINE V only(V words, const bool (&)[1]) { return words; }
};

// How rows stored as S meet: bfloat16 rows in pairs where the instruction set multiplies those.
template <class S>
struct ProductOfType {
  using type = Single<Compute<S>>;
};
#ifdef PT_HAVE_PAIRS
template <>
struct ProductOfType<bfloat16> {
  using type = Pairs;
};
#endif
template <class S>
using ProductOf = typename ProductOfType<S>::type;

// How many words hold a depth of n.
template <class P>
PT_INLINE constexpr int64_t words_of(int64_t n) {
  return pieces_of(n, P::kDepth);
}

}  // namespace
PT_ISA_END
