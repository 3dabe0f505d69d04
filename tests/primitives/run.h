// What the sections of primitives are made with: a kernel of one block, on a GPU or on the CPU, and
// the words that it has written.
#pragma once

#include <string>
#include <vector>

#include "../../csrc/kernels/cuda/device.h"
#include "../kernels/elements.h"
#include "../kernels/no_memory.h"
#include "../kernels/values.h"
#include "sections.h"

namespace pt::cuda {

using test::Elements;
using test::Random;
using test::Section;
using test::Word;

namespace {

// One block, and waits for it.
template <class... Parameters, class... Arguments>
void run(void (*kernel)(Parameters...), int threads, size_t shared, Arguments... arguments) {
  test::NoMemory queue;
  [[maybe_unused]] const Status status =
      launch("a primitive", kernel, 1, unsigned(threads), shared, queue, arguments...);
#ifndef PT_CUDA_ON_HOST
  test::check_cuda(status.kernel, status.code);
  test::check_cuda(status.kernel, cudaDeviceSynchronize());
#endif
}

template <class Function, class X, class Y>
__global__ void apply(const Function function, const X* x, Y* y, const int n) {
  for (int i = int(threadIdx.x); i < n; i += int(blockDim.x)) y[i] = function(x[i]);
}

// function(x[i]) for each i. Threads that exchange something are as many as there are elements.
template <class Y, class Function, class X>
Elements<Y> applied(const Function& function, const Elements<X>& x, int threads = kWarp) {
  Elements<Y> y(x.size());
  run(apply<Function, X, Y>, threads, 0, function, x.data(), y.data(), int(x.size()));
  return y;
}

template <class T>
Section section(const std::string& name, Word word, const Elements<T>& from, int64_t ulps = 0,
                double distance = 0) {
  Section made{name, word, {}, ulps, distance};
  const size_t bytes = size_t(test::bits_of(word)) / 8;
  const auto* data = reinterpret_cast<const unsigned char*>(from.data());
  for (size_t at = 0; at < from.size() * sizeof(T); at += bytes) {
    uint64_t bits = 0;
    std::memcpy(&bits, data + at, bytes);
    made.words.push_back(bits);
  }
  return made;
}

template <class S>
constexpr Word kHalf = Word::bfloat16;
template <>
constexpr Word kHalf<float16> = Word::float16;
template <class S>
std::string name_of() {
  return kHalf<S> == Word::bfloat16 ? "bfloat16" : "float16";
}

}  // namespace
}  // namespace pt::cuda
