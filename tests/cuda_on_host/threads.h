// CUDA threads on the CPU: what the words of language.h and the instructions of instructions.h ask
// of the scheduler. Every thread is a fiber, every block runs on one thread of the machine.
//
// No standard containers here: kernels are compiled with ThreadSanitizer, the scheduler is not,
// and a template that both used would exist once, in either form.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace pt::on_host {

struct dim3 {
  unsigned x = 1, y = 1, z = 1;
  dim3() = default;
  dim3(unsigned x_, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};

struct Site {
  const char* what;
  const char* file;
  int line;
};

// Which of the threads that may run goes first. Whatever the choice, a correct kernel computes the
// same.
enum class Schedule { forward, reverse, random };

struct Options {
  Schedule schedule = Schedule::forward;
  uint64_t seed = 1;
};
Options& options();

// What kernels did, in the whole process, since the last reset. `matrix_conflicts` are the passes
// over shared memory that a load of 8x8 matrices takes beyond one for each of them.
struct Counters {
  uint64_t products, matrix_conflicts, bytes_copied;
};
Counters counters();
void reset_counters();

struct Thread;
// The place of the running thread.
struct Place {
  dim3 index;
  unsigned lane;
};
const Place& self();
// The block that it belongs to.
struct BlockPlace {
  dim3 index, dim, grid;
  unsigned char* shared;
  size_t shared_bytes;
};
const BlockPlace& block();

// Ends the kernel: `run_grid` throws std::runtime_error with where it happened.
[[noreturn]] void fail(const char* message);
[[noreturn]] void fail(const Site& site, const char* message);

void block_barrier(const Site& site);
bool block_any(bool predicate, const Site& site);
void warp_barrier(uint32_t mask, const Site& site);
uint32_t ballot(uint32_t mask, bool predicate, const Site& site);
uint64_t shuffle_bits(uint32_t mask, uint64_t value, unsigned source, const Site& site);

template <class T>
T shuffle(uint32_t mask, T value, unsigned source, const Site& site) {
  static_assert(sizeof(T) <= 8);
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof(T));
  bits = shuffle_bits(mask, bits, source, site);
  std::memcpy(&value, &bits, sizeof(T));
  return value;
}

// Copies 16 bytes to shared memory, or writes zeros when source is null; the destination holds NaN
// until a wait that covers it.
void copy_async_16(void* to, const void* from, const Site& site);
void copy_async_commit();
void copy_async_wait(unsigned groups_in_flight);

// 8x8 matrices of 2-byte elements; lane l gives the address of row l % 8 of matrix l / 8.
void load_matrices(uint32_t* to, const void* row, bool transpose, const Site& site);

enum class Half { bfloat16, float16 };
// d[16, 8] += a[16, 16] b[16, 8], over the fragments of a warp.
void multiply_16x8x16(Half type, float* d, const uint32_t* a, const uint32_t* b, const Site& site);

// Runs body(context) as every thread of the grid. Throws std::runtime_error when a thread reaches
// `fail`, when threads wait for each other for ever, or when the launch itself cannot be.
void run_grid(const char* name, dim3 grid, dim3 block, size_t shared_bytes,
              void (*body)(const void* context), const void* context);

}  // namespace pt::on_host
