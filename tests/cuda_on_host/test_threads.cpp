// The tool that runs CUDA kernels on the CPU: the places and the turns of threads, copies that
// arrive late, what is counted, and that it sees what is wrong. What its instructions compute is in
// tests/primitives.
#include <omp.h>

#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include "../../csrc/kernels/cuda/device.h"
#include "../kernels/check.h"
#include "../kernels/no_memory.h"

namespace pt::cuda {
namespace {

using on_host::counters;
using on_host::options;
using on_host::Schedule;
using test::Report;

template <class... Parameters, class... Arguments>
void run(void (*kernel)(Parameters...), dim3 grid, dim3 block, size_t shared,
         Arguments... arguments) {
  test::NoMemory queue;
  launch("kernel_of_the_test", kernel, grid, block, shared, queue, arguments...);
}

// What run(...) throws, which must be something.
std::string message_of(const std::function<void()>& body) {
  try {
    body();
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return "nothing was thrown";
}

void note_place(unsigned* places) {
  const unsigned thread = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
  const unsigned block = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
  places[block * blockDim.x * blockDim.y * blockDim.z + thread] += 1000 * block + thread;
}

void every_thread_has_its_place(Report& report) {
  report.begin("places");
  for (const dim3 block : {dim3(7), dim3(32, 3), dim3(4, 5, 6)}) {
    const unsigned threads = block.x * block.y * block.z;
    std::vector<unsigned> places(2 * 3 * 2 * threads);
    run(note_place, dim3(2, 3, 2), block, 0, places.data());
    for (size_t i = 0; i < places.size(); i++) {
      report.compare("place", int64_t(i), places[i],
                     1000.0 * double(i / threads) + double(i % threads), 0);
    }
  }
}

struct Tickets {
  unsigned next;
};

void take_tickets(unsigned* all, unsigned* blocks, unsigned* threads) {
  auto& shared = shared_layout<Tickets>();
  if (threadIdx.x == 0) shared.next = 0;
  __syncthreads();
  const unsigned ticket = atomicAdd(&shared.next, 3u);
  threads[blockIdx.x * blockDim.x + ticket / 3] += ticket;
  atomicAdd(all, 1u);
  __syncthreads();
  if (threadIdx.x == 0) blocks[blockIdx.x] = shared.next;
}

void counts_are_exact(Report& report) {
  report.begin("atomic additions");
  unsigned all = 0, blocks[50] = {}, threads[50 * 64] = {};
  run(take_tickets, 50, 64, sizeof(Tickets), &all, blocks, threads);
  report.compare("of all blocks", 0, all, 50 * 64, 0);
  for (int64_t block = 0; block < 50; block++) {
    report.compare("of a block", block, blocks[block], 3 * 64, 0);
  }
  for (int64_t i = 0; i < 50 * 64; i++) report.compare("ticket", i, threads[i], i % 64 * 3, 0);
}

void bits_are_kept(Report& report) {
  report.begin("bits");
  report.compare("float", 0, __float_as_uint(-1.5f), double(0xbfc00000u), 0);
  report.compare("and back", 0, __uint_as_float(0xbfc00000u), -1.5, 0);
  report.compare("double", 0, double(__double_as_longlong(1.5)), double(0x3ff8000000000000), 0);
  report.compare("and back", 1, __longlong_as_double(0x3ff8000000000000), 1.5, 0);
}

struct Copied {
  alignas(16) float at[2][4];
};

void copy(const float* from, float* before, float* after) {
  auto& shared = shared_layout<Copied>();
  copy_async_16(shared.at[0], from, true);
  copy_async_commit();
  copy_async_16(shared.at[1], from, false);
  copy_async_commit();
  *before = shared.at[0][1];
  copy_async_wait<1>();
  for (int i = 0; i < 4; i++) after[i] = shared.at[0][i];
  after[4] = shared.at[1][0];
  copy_async_wait<0>();
  for (int i = 0; i < 4; i++) after[5 + i] = shared.at[1][i];
}

void copies_arrive_late(Report& report) {
  report.begin("copies");
  alignas(16) const float from[4] = {1, 2, 3, 4};
  float before = 0, after[9] = {};
  on_host::reset_counters();
  run(copy, 1, 1, sizeof(Copied), static_cast<const float*>(from), &before, after);
  report.compare("before the wait", 0, before, std::nan(""), 0);
  for (int i = 0; i < 4; i++) report.compare("copied", i, after[i], i + 1, 0);
  report.compare("still on its way", 0, after[4], std::nan(""), 0);
  for (int i = 0; i < 4; i++) report.compare("zeros", i, after[5 + i], 0, 0);
  report.compare("bytes", 0, double(counters().bytes_copied), 16, 0);
}

template <int kElements>
struct Rows {
  alignas(128) uint16_t at[32][kElements];
};
template <int kElements>
void load_rows(uint32_t* out) {
  auto& shared = shared_layout<Rows<kElements>>();
  uint32_t to[4];
  load_matrix_x4(to, shared.at[threadIdx.x]);
  if (threadIdx.x == 0) *out = to[0];
}

void conflicts_are_counted(Report& report) {
  report.begin("conflicts");
  uint32_t out = 0;
  on_host::reset_counters();
  run(load_rows<8>, 1, 32, sizeof(Rows<8>), &out);
  report.compare("neighbouring rows", 0, double(counters().matrix_conflicts), 0, 0);
  run(load_rows<64>, 1, 32, sizeof(Rows<64>), &out);
  // Eight rows 128 bytes apart begin in the same bank: seven more passes for each matrix.
  report.compare("rows far apart", 0, double(counters().matrix_conflicts), 4 * 7, 0);
}

void take_turns(int* order, int* next) {
  order[threadIdx.x] = (*next)++;  // on purpose without any order
  __syncthreads();
}

void schedules_differ(Report& report) {
  report.begin("schedules");
  std::vector<std::vector<int>> orders;
  for (const Schedule schedule : {Schedule::forward, Schedule::reverse, Schedule::random}) {
    options().schedule = schedule;
    int order[64], next = 0;
    test::on_threads(1, [&] { run(take_turns, 1, 64, 0, order, &next); });
    orders.emplace_back(order, order + 64);
  }
  options().schedule = Schedule::forward;
  for (int i = 0; i < 64; i++) {
    report.compare("forward", i, orders[0][size_t(i)], i, 0);
    report.compare("reverse", i, orders[1][size_t(i)], 63 - i, 0);
  }
  report.require(orders[2] != orders[0] && orders[2] != orders[1], "random is one of the others");
}

void skip_barrier() {
  if (threadIdx.x < 32) __syncthreads();
}
void two_barriers() {
  if (threadIdx.x < 32) {
    __syncthreads();
  } else {
    __syncthreads();
  }
}
void part_of_a_shuffle(float* out) {
  if (threadIdx.x < 7) *out = __shfl_xor_sync(kAllLanes, 1.0f, 1);
}
void never_wait(const float* from) { copy_async_16(shared_layout<Copied>().at[0], from, true); }
void misaligned_copy(const float* from) {
  copy_async_16(shared_layout<Copied>().at[0] + 1, from, true);
}
void misaligned_source(const float* from) {
  copy_async_16(shared_layout<Copied>().at[0], from + 1, true);
}
void beyond_shared(const float* from) {
  copy_async_16(shared_layout<Copied>().at[0] + 8, from, true);
}
void nothing() {}

void errors_are_named(Report& report) {
  report.begin("errors");
  const auto expect = [&](const std::string& message, const std::vector<std::string>& parts) {
    for (const std::string& part : parts) {
      report.require(message.find(part) != std::string::npos,
                     "no '" + part + "' in '" + message + "'");
    }
    // What comes after works.
    int order[64], next = 0;
    run(take_turns, 1, 64, 0, order, &next);
    report.compare("threads after an error", 0, next, 64, 0);
  };
  alignas(16) static const float from[8] = {};
  const float* source = from;
  const size_t bytes = sizeof(Copied);
  expect(message_of([&] { run(skip_barrier, dim3(1, 2), 64, 0); }),
         {"kernel_of_the_test", "block (0,", "can never go on", "32 threads wait",
          "__syncthreads at test_threads.cpp:", "32 have ended"});
  expect(message_of([&] { run(two_barriers, 1, 64, 0); }),
         {"thread (", "__syncthreads at test_threads.cpp:", "other threads of the block are in"});
  float out = 0;
  expect(message_of([&] { run(part_of_a_shuffle, 1, 32, 0, &out); }), {"__shfl_xor_sync"});
  expect(message_of([&] { run(never_wait, 1, 1, bytes, source); }), {"never waited for"});
  expect(message_of([&] { run(misaligned_copy, 1, 1, bytes, source); }),
         {"copy_async_16 at test_threads.cpp:", "shared address is no multiple of 16"});
  expect(message_of([&] { run(misaligned_source, 1, 1, bytes, source); }),
         {"source address is no multiple of 16"});
  expect(message_of([&] { run(beyond_shared, 1, 1, bytes, source); }),
         {"outside the block's shared memory"});
  expect(message_of([&] { run(never_wait, 1, 1, bytes - 16, source); }),
         {"less shared memory than the kernel's layout needs"});
  expect(message_of([&] { run(nothing, 1, 1025, 0); }), {"1025 threads", "1 to 1024"});
  expect(message_of([&] { run(nothing, dim3(1, 65536), 1, 0); }), {"65536 blocks in y"});
  expect(message_of([&] { run(nothing, 0, 1, 0); }), {"0 blocks in x"});
  expect(message_of([&] { run(nothing, 1, 1, 100 << 10); }), {"bytes of shared memory"});
}

}  // namespace
}  // namespace pt::cuda

int main() {
  using namespace pt;
  test::Report report;
  cuda::every_thread_has_its_place(report);
  cuda::counts_are_exact(report);
  cuda::bits_are_kept(report);
  cuda::copies_arrive_late(report);
  cuda::conflicts_are_counted(report);
  cuda::schedules_differ(report);
  cuda::errors_are_named(report);
  return report.finish();
}
