// The tool that runs CUDA kernels on the CPU, against plain loops; and that it sees what is wrong.
//
// Fragment layouts are written down here once more, from the PTX ISA ("Warp-level matrix
// instructions", figures of ldmatrix and of mma.m16n8k16), as functions of a lane.
#include <omp.h>

#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include "../../csrc/kernels/cuda/device.h"
#include "../kernels/check.h"
#include "../kernels/values.h"

namespace pt::cuda {
namespace {

using on_host::counters;
using on_host::options;
using on_host::Schedule;
using test::Random;
using test::Report;

class NoMemory : public Queue {
 public:
  NoMemory() : Queue(nullptr) {}
  void* take(size_t) override { throw std::bad_alloc(); }
  Status multiply(const MatmulArgs&) override { return {}; }
  void sort(const int64_t*, int64_t, int64_t*, int64_t*) override {}
};

template <class... Parameters, class... Arguments>
void run(void (*kernel)(Parameters...), dim3 grid, dim3 block, size_t shared,
         Arguments... arguments) {
  NoMemory queue;
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

struct Lanes {
  float turned[32], from_three[32];
  double wide[32];
  uint32_t odd[32];
  int any_block[32];
};

void exchange(Lanes* out) {
  const int lane = int(threadIdx.x);
  out->turned[lane] = __shfl_xor_sync(kAllLanes, float(lane), 5);
  out->from_three[lane] = __shfl_sync(kAllLanes, float(lane), 3);
  out->wide[lane] = __shfl_xor_sync(kAllLanes, lane + 0.25, 16);
  out->odd[lane] = __ballot_sync(kAllLanes, lane % 2);
  out->any_block[lane] = __syncthreads_or(lane == 17);
}

void lanes_exchange(Report& report) {
  report.begin("lanes");
  Lanes lanes{};
  run(exchange, 1, 32, 0, &lanes);
  for (int lane = 0; lane < 32; lane++) {
    report.compare("xor", lane, lanes.turned[lane], lane ^ 5, 0);
    report.compare("from", lane, lanes.from_three[lane], 3, 0);
    report.compare("double", lane, lanes.wide[lane], (lane ^ 16) + 0.25, 0);
    report.compare("ballot", lane, lanes.odd[lane], double(0xaaaaaaaau), 0);
    report.compare("any", lane, lanes.any_block[lane], 1, 0);
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

struct Matrices {
  alignas(16) uint16_t at[32][8];
};

void load(uint32_t* plain, uint32_t* transposed) {
  auto& shared = shared_layout<Matrices>();
  const int lane = int(threadIdx.x);
  for (int j = 0; j < 8; j++) shared.at[lane][j] = uint16_t(100 * lane + j);
  __syncwarp();
  uint32_t to[4];
  load_matrix_x4(to, shared.at[lane]);
  for (int m = 0; m < 4; m++) plain[4 * lane + m] = to[m];
  load_matrix_x4_transposed(to, shared.at[lane]);
  for (int m = 0; m < 4; m++) transposed[4 * lane + m] = to[m];
}

void matrices_are_loaded(Report& report) {
  report.begin("matrices");
  uint32_t plain[128], transposed[128];
  on_host::reset_counters();
  run(load, 1, 32, sizeof(Matrices), plain, transposed);
  const auto element = [](int matrix, int i, int j) { return 100 * (8 * matrix + i) + j; };
  for (int lane = 0; lane < 32; lane++) {
    for (int m = 0; m < 4; m++) {
      for (int half = 0; half < 2; half++) {
        const int row = lane / 4, column = 2 * (lane % 4) + half;
        report.compare("plain", lane, plain[4 * lane + m] >> (16 * half) & 0xffff,
                       element(m, row, column), 0);
        report.compare("transposed", lane, transposed[4 * lane + m] >> (16 * half) & 0xffff,
                       element(m, column, row), 0);
      }
    }
  }
  report.compare("conflicts of neighbouring rows", 0, double(counters().matrix_conflicts), 0, 0);
}

struct FarRows {
  alignas(128) uint16_t at[32][64];
};
void load_far(uint32_t* out) {
  auto& shared = shared_layout<FarRows>();
  uint32_t to[4];
  load_matrix_x4(to, shared.at[threadIdx.x]);
  if (threadIdx.x == 0) *out = to[0];
}

void conflicts_are_counted(Report& report) {
  report.begin("conflicts");
  uint32_t out = 0;
  on_host::reset_counters();
  run(load_far, 1, 32, sizeof(FarRows), &out);
  // Eight rows 128 bytes apart begin in the same bank: seven more passes for each matrix.
  report.compare("conflicts", 0, double(counters().matrix_conflicts), 4 * 7, 0);
}

template <class S>
void multiply(const float* a, const float* b, float* d) {
  const int lane = int(threadIdx.x), group = lane / 4, pair = 2 * (lane % 4);
  const auto two = [](const float* x, int first, int second) {
    return pair_of<S>(x[first], x[second]);
  };
  uint32_t left[4], right[2];
  for (int i = 0; i < 4; i++) {
    const int row = group + (i % 2 == 1 ? 8 : 0), column = pair + (i >= 2 ? 8 : 0);
    left[i] = two(a, 16 * row + column, 16 * row + column + 1);
  }
  for (int i = 0; i < 2; i++) {
    const int row = pair + 8 * i;
    right[i] = two(b, 8 * row + group, 8 * (row + 1) + group);
  }
  float sums[4];
  for (int i = 0; i < 4; i++) sums[i] = d[8 * (group + i / 2 * 8) + pair + i % 2];
  mma_m16n8k16<S>(sums, left, right[0], right[1]);
  for (int i = 0; i < 4; i++) d[8 * (group + i / 2 * 8) + pair + i % 2] = sums[i];
}

template <class S>
void products_are_right(Report& report, Type type) {
  report.begin(std::string("products of ") + test::name_of(type));
  Random random(5);
  float a[256], b[128], d[128], before[128];
  for (float& x : a) x = float(test::rounded(random.normal(), type));
  for (float& x : b) x = float(test::rounded(random.normal(), type));
  for (int i = 0; i < 128; i++) before[i] = d[i] = float(random.normal());
  run(multiply<S>, 1, 32, 0, static_cast<const float*>(a), static_cast<const float*>(b), d);
  for (int i = 0; i < 16; i++) {
    for (int j = 0; j < 8; j++) {
      test::Sum sum;
      sum.add(before[8 * i + j]);
      for (int k = 0; k < 16; k++) sum.add(double(a[16 * i + k]) * double(b[8 * k + j]));
      report.compare("product", 8 * i + j, d[8 * i + j], sum.value,
                     test::tolerance(Type::float32, Type::float32, 16, sum.magnitude, sum.value));
    }
  }
}

void numbers_are_rounded(Report& report) {
  report.begin("conversions");
  for (uint32_t bits = 0; bits < 65536; bits++) {
    const float brain = to_float(bfloat16{uint16_t(bits)});
    const float half = to_float(float16{uint16_t(bits)});
    if (!std::isnan(brain)) report.compare("bfloat16", bits, to_bfloat16(brain).bits, bits, 0);
    if (!std::isnan(half)) report.compare("float16", bits, to_float16(half).bits, bits, 0);
  }
  Random random(6);
  for (int i = 0; i < 10000; i++) {
    const auto x = float(random.normal() * std::ldexp(1.0, int(random.below(40)) - 20));
    report.compare("to bfloat16", i, to_float(to_bfloat16(x)), test::rounded(x, Type::bfloat16), 0);
    report.compare("to float16", i, to_float(to_float16(x)), test::rounded(x, Type::float16), 0);
  }
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
  cuda::lanes_exchange(report);
  cuda::counts_are_exact(report);
  cuda::bits_are_kept(report);
  cuda::copies_arrive_late(report);
  cuda::matrices_are_loaded(report);
  cuda::conflicts_are_counted(report);
  cuda::products_are_right<bfloat16>(report, Type::bfloat16);
  cuda::products_are_right<float16>(report, Type::float16);
  cuda::numbers_are_rounded(report);
  cuda::schedules_differ(report);
  cuda::errors_are_named(report);
  return report.finish();
}
