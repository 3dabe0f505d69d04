// The count of operations behind the measured peak, and the profile that times kernels.
#include <cstring>
#include <string>

#include "../../csrc/kernels/cpu/profile.h"
#include "check.h"
#include "values.h"

namespace pt::test {
namespace {

double operations(const Kernels& kernels, Type type, int64_t rounds) {
  double count = -1;
  kernels.peak({type, rounds, &count});
  return count;
}

void counts(Report& report, const Kernels& kernels, Type type) {
  report.begin(std::string(kernels.isa) + " operations of " + name_of(type));
  const auto count = [&](int threads, int64_t rounds) {
    return on_threads(threads, [&] { return operations(kernels, type, rounds); });
  };
  const double one = count(1, 100);
  report.require(one > 0, "nothing was done");
  report.require(count(1, 300) == 3 * one, "not three times as many");
  report.require(count(1, 0) == 0, "something was done in no rounds");
  report.require(count(3, 100) == 3 * one, "three threads do not do three times");
}

int64_t calls_of(const char* name, const KernelTime* times, int count) {
  for (int i = 0; i < count; i++) {
    if (std::strcmp(times[i].name, name) == 0) return times[i].calls;
  }
  return -1;
}

void profile(Report& report) {
  report.begin("profile");
  const Kernels* before = &kernels();
  start_profile();
  report.require(std::string(kernels().isa) == before->isa, "another instruction set");
  for (int i = 0; i < 3; i++) operations(kernels(), Type::float32, 10);
  int count = 0;
  const KernelTime* times = stop_profile(count);
  report.require(calls_of("peak", times, count) == 3, "three calls were not counted as three");
  report.require(calls_of("matmul", times, count) == 0, "a kernel counts that was not called");
  report.require(&kernels() == before, "the table in use before is not back");
  operations(kernels(), Type::float32, 10);
  report.require(calls_of("peak", times, count) == 3, "a call counts after the end");
  start_profile();
  times = stop_profile(count);
  report.require(calls_of("peak", times, count) == 0, "the next profile does not begin at zero");
}

}  // namespace
}  // namespace pt::test

int main() {
  using namespace pt::test;
  Report report;
  for_each_isa([&](const pt::Kernels& kernels) {
    for (const pt::Type type : kTypes) counts(report, kernels, type);
  });
  profile(report);
  return report.finish();
}
