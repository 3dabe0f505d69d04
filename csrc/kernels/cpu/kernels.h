// Every CPU kernel of one instruction set as a table of functions, and the choice among them.
#pragma once

#include "../contracts.h"
#include "../peak.h"

// name, argument struct.
#define PT_FOR_EACH_KERNEL(X) \
  PT_FOR_EACH_CONTRACT(X)     \
  X(peak, PeakArgs)

namespace pt {

struct Kernels {
  const char* isa;
#define PT_MEMBER(name, Args) void (*name)(const Args&);
  PT_FOR_EACH_KERNEL(PT_MEMBER)
#undef PT_MEMBER
};

// The table in use: what select_kernels chose last, or else what PYTRANSFORMER_ISA names, or else
// the fastest that this machine runs. Throws std::runtime_error when PYTRANSFORMER_ISA names
// something that is not compiled in or that this machine lacks.
const Kernels& kernels();

// Throws std::runtime_error likewise; the choice holds for the whole process.
void select_kernels(const char* isa);

// Any table from now on, in the whole process.
void use_kernels(const Kernels& table);

// The tables compiled into this build, the fastest on this machine first, and whether it runs one.
struct AvailableKernels {
  const Kernels* table;
  bool runs_here;
};
constexpr int kMaxIsas = 4;
// Returns how many; fills `tables`.
int available_kernels(AvailableKernels (&tables)[kMaxIsas]);

}  // namespace pt
