// The CUDA kernels, run on a GPU, as the tables that tests go through: one whose tiles are chosen
// for this device, and one that has large tiles, which the small products of tests would never be
// given. It takes the place of csrc/kernels/cpu/dispatch.cpp.
#include <cuda_runtime_api.h>

#include <algorithm>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "../../csrc/kernels/cpu/kernels.h"
#include "../../csrc/kernels/cuda/kernels.h"
#include "memory.h"

namespace pt {
namespace {

using test::check_cuda;

// A stream that does not wait for the default one: work that was queued there would be seen.
cuda::Stream own_stream() {
  static const cudaStream_t stream = [] {
    cudaStream_t made = nullptr;
    check_cuda("cudaStreamCreate", cudaStreamCreateWithFlags(&made, cudaStreamNonBlocking));
    return made;
  }();
  return stream;
}

// Every piece holds NaN.
class GpuQueue : public cuda::Queue {
 public:
  explicit GpuQueue(int multiprocessors) : Queue(own_stream()), multiprocessors_(multiprocessors) {}
  ~GpuQueue() override {
    for (const auto& [piece, bytes] : pieces_) test::give_device(piece, bytes);
  }
  int multiprocessors() const override { return multiprocessors_; }
  void* take(size_t bytes) override {
    void* piece = test::take_device(bytes);
    pieces_.emplace_back(piece, bytes);
    check_cuda("cudaMemsetAsync", cudaMemsetAsync(piece, 0xff, bytes, stream()));
    return piece;
  }
  cuda::Status multiply(const MatmulArgs& args) override { return cuda::matmul(args, *this); }
  // On the CPU: whose memory the arrays are does not matter so.
  void sort(const int64_t* keys, int64_t n, int64_t* sorted, int64_t* places) override {
    if (n == 0) return;
    std::vector<int64_t> own(static_cast<size_t>(n)), order(own), in_order(own);
    copy(own.data(), keys, n);
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(),
                     [&](int64_t a, int64_t b) { return own[size_t(a)] < own[size_t(b)]; });
    for (size_t i = 0; i < own.size(); i++) in_order[i] = own[size_t(order[i])];
    copy(sorted, in_order.data(), n);
    copy(places, order.data(), n);
  }

 private:
  void copy(int64_t* to, const int64_t* from, int64_t n) {
    const size_t bytes = size_t(n) * sizeof(int64_t);
    check_cuda("cudaMemcpyAsync", cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, stream()));
    check_cuda("the kernels before sort", cudaStreamSynchronize(stream()));
  }

  const int multiprocessors_;
  std::vector<std::pair<void*, size_t>> pieces_;
};

const cudaDeviceProp& device() {
  static const cudaDeviceProp properties = [] {
    cudaDeviceProp asked{};
    check_cuda("cudaGetDeviceProperties", cudaGetDeviceProperties(&asked, 0));
    return asked;
  }();
  return properties;
}

template <class Args>
void run(const char* name, cuda::Status (*queue_kernels)(const Args&, cuda::Queue&),
         const Args& args, int multiprocessors) {
  GpuQueue queue(multiprocessors);
  const cuda::Status status = queue_kernels(args, queue);
  check_cuda(status.kernel, status.code);
  check_cuda(name, cudaStreamSynchronize(queue.stream()));
}

enum class Tiles { of_device, large };

template <Tiles kTiles>
Kernels table(const std::string& name) {
  Kernels kernels{};
  kernels.isa = name.c_str();
#define PT_MEMBER(name, Args)                                                              \
  kernels.name = [](const Args& args) {                                                    \
    const int multiprocessors = kTiles == Tiles::large ? 1 : device().multiProcessorCount; \
    run(#name, cuda::name, args, multiprocessors);                                         \
  };
  PT_FOR_EACH_CONTRACT(PT_MEMBER)
#undef PT_MEMBER
  return kernels;
}

}  // namespace

int available_kernels(AvailableKernels (&tables)[kMaxIsas]) {
  static const std::string name = std::string("cuda ") + device().name;
  static const std::string name_of_large = name + ", large tiles";
  static const Kernels kernels = table<Tiles::of_device>(name);
  static const Kernels large = table<Tiles::large>(name_of_large);
  tables[0] = {&kernels, true};
  tables[1] = {&large, true};
  return 2;
}

}  // namespace pt
