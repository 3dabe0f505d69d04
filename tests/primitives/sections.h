// The sections of this test, in the order of the file.
#pragma once

#include <vector>

#include "golden.h"

namespace pt::cuda {

// Conversions, functions and random numbers, of one thread each.
void add_numbers(std::vector<test::Section>& out);
// What threads do together: copies, matrices and their products, exchanges and votes.
void add_warps(std::vector<test::Section>& out);

}  // namespace pt::cuda
