// The vector types of the instruction set being compiled for, all with the same member names:
// FloatVector (float32 arithmetic) and DoubleVector (the plain float64 path).
#pragma once

#include "../isa.h"

#define PT_ISA_IS_generic 1
#define PT_ISA_IS_avx2 2
#define PT_ISA_IS_avx512 3
#define PT_ISA_IS_avx512_bf16 4
#define PT_ISA_PASTE(x) PT_ISA_IS_##x
#define PT_ISA_NUMBER(x) PT_ISA_PASTE(x)

#if PT_ISA_NUMBER(PT_ISA) == PT_ISA_IS_avx512_bf16
#define PT_HAVE_PAIRS
#include "pairs.h"
#elif PT_ISA_NUMBER(PT_ISA) == PT_ISA_IS_avx512
#include "avx512.h"
#elif PT_ISA_NUMBER(PT_ISA) == PT_ISA_IS_avx2
#include "avx2.h"
#else
#include "generic.h"
#endif

PT_ISA_BEGIN
namespace {

using DoubleVector = PortableVector<double, kVectorBytes>;

template <class T>
struct VectorOf;
template <>
struct VectorOf<float> {
  using type = FloatVector;
};
template <>
struct VectorOf<double> {
  using type = DoubleVector;
};
template <class T>
using Vector = typename VectorOf<T>::type;

// body(a value of the type that rows are stored in).
template <class Body>
PT_INLINE void with_storage(Type type, const Body& body) {
  switch (type) {
    case Type::float32:
      return body(float());
    case Type::bfloat16:
      return body(bfloat16());
    case Type::float64:
      return body(double());
    case Type::float16:
      return;  // ops refuse it on the CPU
  }
}

// Where a vector of the row starts `left` columns before its end: full or partial.
template <class V, class S>
PT_INLINE V load_up_to(const S* p, int64_t left) {
  return left >= V::size ? V::load(p) : V::load(p, int(left));
}
template <class V, class S>
PT_INLINE void store_up_to(V x, S* p, int64_t left) {
  if (left >= V::size) {
    x.store(p);
  } else {
    x.store(p, int(left));
  }
}

// x[from .. to) = value.
template <class T>
PT_INLINE void fill(T* x, int64_t from, int64_t to, T value) {
  using V = Vector<T>;
  for (int64_t j = from; j < to; j += V::size) store_up_to(V::broadcast(value), x + j, to - j);
}

// Elements whose type is known at run time only.
template <class V>
PT_INLINE V load_typed(const void* p, Type type, int64_t index, int64_t left) {
  switch (type) {
    case Type::bfloat16:
      return load_up_to<V>(static_cast<const bfloat16*>(p) + index, left);
    case Type::float64:
      if constexpr (sizeof(typename V::Element) == 8) {
        return load_up_to<V>(static_cast<const double*>(p) + index, left);
      }
      return V::zero();
    default:
      return load_up_to<V>(static_cast<const float*>(p) + index, left);
  }
}
template <class V>
PT_INLINE void store_typed(V x, void* p, Type type, int64_t index, int64_t left) {
  switch (type) {
    case Type::bfloat16:
      store_up_to(x, static_cast<bfloat16*>(p) + index, left);
      break;
    case Type::float64:
      if constexpr (sizeof(typename V::Element) == 8) {
        store_up_to(x, static_cast<double*>(p) + index, left);
      }
      break;
    default:
      store_up_to(x, static_cast<float*>(p) + index, left);
  }
}

}  // namespace
PT_ISA_END
