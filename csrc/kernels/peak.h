// The most multiply-adds this machine can do: what achieved speeds are held against.
#pragma once

#include "types.h"

namespace pt {

// Every thread runs `rounds` times a chain of multiply-adds on registers alone.
struct PeakArgs {
  Type type;  // of the operands: bfloat16 counts products of pairs where the processor has them
  int64_t rounds;
  double* operations;  // how many were done by all threads, two for each multiply-add
};

}  // namespace pt
