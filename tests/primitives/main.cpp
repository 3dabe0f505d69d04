// What each primitive that kernels are made of computes from fixed inputs: printed, or compared
// with the file that is named (expected.txt). The same text runs on a GPU and on the CPU, so that
// what the CPU has instead of a GPU's instructions is held against the real ones.
//
// Words have to be the same bit by bit, but for functions that are approximations on either side,
// and for sums of matrix products, whose order and rounding the hardware keeps to itself.
#include <vector>

#include "sections.h"

int main(int argc, char** argv) {
  std::vector<pt::test::Section> sections;
  pt::cuda::add_numbers(sections);
  pt::cuda::add_warps(sections);
  if (argc > 1) return pt::test::compare_with_file(sections, argv[1]);
  pt::test::print(sections);
  return 0;
}
