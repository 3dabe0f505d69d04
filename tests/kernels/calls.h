// What the tests of a kernel with a backward do with each case. A Call has run, run_backward,
// check, check_backward and results(); a Case has name().
#pragma once

#include <string>

#include "check.h"

namespace pt::test {

// Runs it forward and backward, and compares both with plain loops.
template <class Call, class Case>
void check_case(Report& report, const Kernels& kernels, const Case& c) {
  report.begin(std::string(kernels.isa) + " " + c.name());
  Call call(c);
  call.run(kernels);
  call.check(report);
  call.run_backward(kernels);
  call.check_backward(report);
}

// The same bits on 1 and on 3 threads.
template <class Call, class Case>
void check_threads(Report& report, const Kernels& kernels, const Case& c) {
  report.begin(std::string(kernels.isa) + " threads, " + c.name());
  Call one(c), three(c);
  const auto run = [&](Call& call) {
    call.run(kernels);
    call.run_backward(kernels);
  };
  on_threads(1, [&] { run(one); });
  on_threads(3, [&] { run(three); });
  for (size_t i = 0; i < one.results().size(); i++) {
    report.require(one.results()[i]->same_bits(*three.results()[i]), "1 and 3 threads differ");
  }
}

}  // namespace pt::test
