// Tasks on threads: each is done once, its run is its thread's, a failure is raised after them.
#define PT_ISA generic
#include "../../csrc/kernels/cpu/parallel.h"

#include <atomic>
#include <stdexcept>
#include <string>
#include <vector>

#include "check.h"

namespace pt::test {
namespace {

using generic::parallel_for;
using generic::parallel_ranges;
using generic::Runs;

std::string name_of(const char* what, int64_t tasks, int threads) {
  return std::string(what) + ", " + std::to_string(tasks) + " tasks, " + std::to_string(threads) +
         " threads";
}

using Counts = std::vector<std::atomic<int>>;

void require_once(Report& report, const Counts& done) {
  for (size_t i = 0; i < done.size(); i++) {
    report.compare("done", static_cast<int64_t>(i), done[i], 1, 0);
  }
}

void each_is_done_once(Report& report, int64_t tasks, int threads) {
  report.begin(name_of("parallel_for", tasks, threads));
  Counts done(static_cast<size_t>(tasks));
  on_threads(threads, [&] {
    parallel_for(tasks, [&](int64_t task) { done[static_cast<size_t>(task)]++; });
    return 0;
  });
  require_once(report, done);
}

void ranges_cover(Report& report, int64_t count, int threads, int64_t grain) {
  report.begin(name_of("parallel_ranges", count, threads));
  Counts done(static_cast<size_t>(count));
  std::atomic<int64_t> ranges = 0;
  on_threads(threads, [&] {
    parallel_ranges(count, grain, [&](int64_t first, int64_t last) {
      ranges++;
      for (int64_t i = first; i < last; i++) done[static_cast<size_t>(i)]++;
    });
    return 0;
  });
  require_once(report, done);
  report.require(ranges <= threads, "more ranges than threads");
  report.require(ranges <= generic::pieces_of(count, grain), "ranges below the grain");
}

// One thread after the other, so that the first finds every run whole, the last none.
void begins_with_its_own_run(Report& report) {
  report.begin("a thread begins with its own run and helps the others in turn");
  for (int64_t thread = 0; thread < 3; thread++) {
    Runs runs(7, 3);  // 0 1, 2 3, 4 5 6
    std::vector<int64_t> order;
    runs.work(thread, [&](int64_t task) { order.push_back(task); });
    const int64_t begin = thread * 2;
    report.require(order.size() == 7, "not all of the tasks");
    for (size_t i = 0; i < order.size(); i++) {
      report.compare("task", static_cast<int64_t>(i), static_cast<double>(order[i]),
                     static_cast<double>((begin + static_cast<int64_t>(i)) % 7), 0);
    }
    bool again = false;
    runs.work((thread + 1) % 3, [&](int64_t) { again = true; });
    report.require(!again, "a task is done twice");
  }
}

void nests(Report& report) {
  report.begin("a kernel inside a kernel");
  std::atomic<int> done = 0;
  on_threads(2, [&] {
    parallel_for(5, [&](int64_t) { parallel_for(7, [&](int64_t) { done++; }); });
    return 0;
  });
  report.compare("done", 0, done, 35, 0);
}

void raises(Report& report) {
  report.begin("a task fails");
  for (const int threads : {1, 2}) {
    bool raised = false;
    try {
      on_threads(threads, [] {
        parallel_for(9, [](int64_t task) {
          if (task == 4) scratch::raise_exhausted();
        });
        return 0;
      });
    } catch (const std::runtime_error&) {
      raised = true;
    }
    report.require(raised, "the failure is lost");
  }
}

}  // namespace
}  // namespace pt::test

int main() {
  using namespace pt::test;
  Report report;
  for (const int threads : {1, 2, 3, 70}) {  // more than there are runs
    for (const int64_t tasks : {0, 1, 2, 3, 64, 200}) each_is_done_once(report, tasks, threads);
    for (const int64_t count : {0, 1, 15, 100}) ranges_cover(report, count, threads, 8);
  }
  begins_with_its_own_run(report);
  nests(report);
  raises(report);
  return report.finish();
}
