// Named cases, counted comparisons, readable failures, an exit status.
#pragma once

#include <omp.h>

#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "../../csrc/kernels/cpu/kernels.h"
#include "values.h"

// Of lists whose cases take long, a build that is slow runs one case in so many.
#ifndef PT_TEST_EVERY
#define PT_TEST_EVERY 1
#endif

namespace pt::test {

// Only what is within the tolerance passes, so NaN never does unless it is expected.
inline bool close(double actual, double expected, double tolerance) {
  if (std::isnan(expected)) return std::isnan(actual);
  if (std::isinf(expected)) return actual == expected;
  return std::fabs(actual - expected) <= tolerance;
}

class Report {
 public:
  // The case that the comparisons from here on belong to.
  void begin(const std::string& name) {
    stop_in_time();
    static constexpr const char* kAlignments[] = {"", ", aligned by turns", ", aligned"};
    name_ = name + kAlignments[size_t(placement().alignment)];
    shown_ = 0;
    placement().begin_case(++cases_);
  }

  void compare(const char* what, int64_t index, double actual, double expected, double tolerance) {
    compared_++;
    if (close(actual, expected, tolerance)) return;
    failed_++;
    if (shown_++ < kShown) {
      std::printf("FAILED %s: %s[%lld] is %.9g, expected %.9g within %.3g\n", name_.c_str(), what,
                  static_cast<long long>(index), actual, expected, tolerance);
    }
    stop_if_asked();
  }

  void require(bool holds, const std::string& what) {
    compared_++;
    if (holds) return;
    failed_++;
    if (shown_++ < kShown) std::printf("FAILED %s: %s\n", name_.c_str(), what.c_str());
    stop_if_asked();
  }

  // The exit status. A test that compared nothing has failed.
  int finish() const {
    std::printf("%lld cases, %lld comparisons, %lld failed\n", static_cast<long long>(cases_),
                static_cast<long long>(compared_), static_cast<long long>(failed_));
    return failed_ == 0 && compared_ > 0 ? 0 : 1;
  }

 private:
  static constexpr int kShown = 4;  // failures printed of one case

  // Whoever has so many seconds gets the cases that begin in them.
  void stop_in_time() const {
    const char* asked = std::getenv("PT_TEST_SECONDS");
    if (asked == nullptr) return;
    const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - start_;
    if (passed.count() < std::atof(asked)) return;
    std::printf("no time for more: ");
    std::exit(finish());
  }
  // Whoever only wants to know whether something fails.
  static void stop_if_asked() {
    if (std::getenv("PT_TEST_STOP") != nullptr) std::exit(1);
  }

  std::string name_;
  int shown_ = 0;
  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  int64_t cases_ = 0, compared_ = 0, failed_ = 0;
};

// How many cases of a list one is run of: as many as the environment's PT_TEST_EVERY says, or else
// `stride`.
inline int asked_stride(int stride) {
  const char* asked = std::getenv("PT_TEST_EVERY");
  return asked != nullptr && std::atoi(asked) > 0 ? std::atoi(asked) : stride;
}
template <class Case>
std::vector<Case> some_of(const std::vector<Case>& cases, int stride = 1) {
  std::vector<Case> some;
  for (size_t i = 0; i < cases.size(); i += size_t(asked_stride(stride))) some.push_back(cases[i]);
  return some;
}

// What body() returns on so many threads.
template <class Body>
auto on_threads(int count, const Body& body) {
  struct Restore {
    const int before = omp_get_max_threads();
    ~Restore() { omp_set_num_threads(before); }
  } restore;
  omp_set_num_threads(count);
  return body();
}

// Whether products of 16-bit rows take operands of 16 bits, and what enters them is rounded.
inline bool multiplies_pairs(const Kernels& kernels) {
  const std::string isa = kernels.isa;
  return isa == "avx512_bf16" || isa.starts_with("cuda");
}

template <class Body>
void for_each_table(const Body& body) {
  AvailableKernels tables[kMaxIsas];
  const int count = available_kernels(tables);
  for (int i = 0; i < count; i++) {
    if (tables[i].runs_here) {
      body(*tables[i].table);
    } else {
      std::printf("skipped %s: this machine lacks it\n", tables[i].table->isa);
    }
  }
}

// body(kernels) for every instruction set of this build that this machine runs. CUDA's kernels move
// vectors where they can, so all of them run with each alignment, where threads take other turns.
// On the CPU no kernel looks at it, and one text is every set's: they take turns.
template <class Body>
void for_each_isa(const Body& body) {
#ifdef PT_TEST_CUDA
  for (const auto& [alignment, tables] : {std::pair{Alignment::none, "cuda reverse"},
                                          {Alignment::mixed, "cuda random"},
                                          {Alignment::all, "cuda random, cuda forward"}}) {
    placement().alignment = alignment;
    const std::string_view these = tables;
    for_each_table([&](const Kernels& kernels) {
      if (these.find(kernels.isa) != these.npos) body(kernels);
    });
  }
#else
  for_each_table([&](const Kernels& kernels) {
    body(kernels);
    Alignment& alignment = placement().alignment;
    alignment = alignment == Alignment::none ? Alignment::mixed : Alignment::none;
  });
#endif
}

}  // namespace pt::test
