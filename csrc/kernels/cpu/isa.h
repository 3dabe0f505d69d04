// The namespace of the instruction set that a kernel file is being compiled for. The build passes
// PT_ISA (generic, avx2, avx512 or avx512_bf16) together with the compiler's flags for it.
//
// Whatever a kernel file defines lies in pt::PT_ISA, helpers in an unnamed namespace inside: the
// linker would otherwise be free to keep one instruction set's copy of a helper for all of them.
#pragma once

#ifndef PT_ISA
#error "compile kernel files with -DPT_ISA=generic, avx2, avx512 or avx512_bf16"
#endif

#define PT_ISA_BEGIN \
  namespace pt {     \
  namespace PT_ISA {
#define PT_ISA_END \
  }                \
  }

#define PT_INLINE inline __attribute__((always_inline))

// Loops over register tiles must be unrolled for the tile to live in registers.
#define PT_UNROLL _Pragma("GCC unroll 32")
