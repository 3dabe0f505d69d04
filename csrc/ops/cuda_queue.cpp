#include "cuda_queue.h"

#include <ATen/ops/addmm.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/sort.h>
#include <c10/cuda/CUDAStream.h>
#include <torch/version.h>

#include <array>
#include <mutex>

#include "../kernels/cuda/runtime.h"

namespace pt::ops {

namespace {

constexpr int kLeastMajor = 8;  // compute capability: mma of bfloat16 and cp.async

// What is asked once of each device.
struct Device {
  std::once_flag once;
  cuda::Capability capability;
  int multiprocessors;
};

const Device& device_of(at::DeviceIndex index) {
  static std::array<Device, C10_COMPILE_TIME_MAX_GPUS> devices;
  Device& device = devices.at(size_t(index));
  std::call_once(device.once, [&] {
    device.capability = cuda::capability(index);
    device.multiprocessors = cuda::multiprocessors(index);
  });
  return device;
}

void check_capability(at::DeviceIndex index) {
  const cuda::Capability has = device_of(index).capability;
  TORCH_CHECK(has.major >= kLeastMajor, "cuda:", int(index), " has compute capability ", has.major,
              ".", has.minor, "; pytransformer's CUDA kernels need ", kLeastMajor,
              ".0 or higher (A100, RTX 30 and later); move tensors with .cpu(), or set "
              "PYTRANSFORMER_BACKEND=reference to run on plain PyTorch");
}

cuda::Stream current_stream(at::DeviceIndex index) {
  return c10::cuda::getCurrentCUDAStream(index).stream();
}

at::ScalarType torch_type(Type type) {
  switch (type) {
    case Type::bfloat16:
      return at::kBFloat16;
    case Type::float16:
      return at::kHalf;
    case Type::float64:
      return at::kDouble;
    default:
      return at::kFloat;
  }
}

// Memory that others own, as a tensor.
Tensor view(const void* data, at::IntArrayRef sizes, at::IntArrayRef strides, Type type,
            at::Device device) {
  return at::for_blob(const_cast<void*>(data), sizes)
      .strides(strides)
      .options(at::TensorOptions().dtype(torch_type(type)).device(device))
      .target_device(device)
      .make_tensor();
}
Tensor view(const Matrix& matrix, int64_t rows, int64_t columns, at::Device device) {
  return view(matrix.data, {rows, columns}, {matrix.row_stride, matrix.col_stride}, matrix.type,
              device);
}

// Float32 parameters beside 16-bit rows are rounded first, as torch's autocast does.
Tensor rounded(const Tensor& x, Type type) { return x.to(torch_type(type)); }

// Whether torch has this product. Wider results of 16-bit operands came with torch 2.8.
bool is_plain(const MatmulArgs& args) {
  const Epilogue& epilogue = args.epilogue;
  if (epilogue.activation != Activation::none || epilogue.preactivation != nullptr ||
      epilogue.saved != nullptr || epilogue.dropout.threshold > 0) {
    return false;
  }
  const Type type = cuda::entering_type(args.a, args.b);
  const auto widened = [&](const Matrix& x) { return !is_half(type) && x.type != type; };
  if (widened(args.a) || widened(args.b) || args.m * args.n * args.k == 0) return false;
  if (args.out_type == type) return !args.accumulate || !is_half(type);
#if TORCH_VERSION_MAJOR > 2 || TORCH_VERSION_MINOR >= 8
  return is_half(type) && args.out_type == Type::float32 && epilogue.bias.data == nullptr;
#else
  return false;
#endif
}

void multiply_by_torch(const MatmulArgs& args, at::Device device) {
  const Type type = cuda::entering_type(args.a, args.b);
  const Tensor a = rounded(view(args.a, args.m, args.k, device), type);
  const Tensor b = rounded(view(args.b, args.k, args.n, device), type);
  Tensor out = view(args.out, {args.m, args.n}, {args.out_stride, 1}, args.out_type, device);
  if (args.out_type != type) {
#if TORCH_VERSION_MAJOR > 2 || TORCH_VERSION_MINOR >= 8
    if (args.accumulate) {
      out.add_(at::mm(a, b, out.scalar_type()));  // addmm adds to the operands' type alone
    } else {
      at::mm_out(out, a, b, out.scalar_type());
    }
#endif
  } else if (args.accumulate) {
    at::addmm_out(out, out, a, b);
  } else if (args.epilogue.bias.data != nullptr) {
    const Parameters& bias = args.epilogue.bias;
    at::addmm_out(out, rounded(view(bias.data, {args.n}, {1}, bias.type, device), type), a, b);
  } else {
    at::mm_out(out, a, b);
  }
}

}  // namespace

TorchQueue::TorchQueue(at::Device device)
    : Queue(current_stream(device.index())), guard_(device), device_(device) {
  check_capability(device.index());
}

int TorchQueue::multiprocessors() const { return device_of(device_.index()).multiprocessors; }

void* TorchQueue::take(size_t bytes) {
  pieces_.push_back(
      at::empty({int64_t(bytes)}, at::TensorOptions().dtype(at::kByte).device(device_)));
  return pieces_.back().mutable_data_ptr();
}

cuda::Status TorchQueue::multiply(const MatmulArgs& args) {
  if (!is_plain(args)) return cuda::matmul(args, *this);
  multiply_by_torch(args, device_);
  return {};
}

void TorchQueue::sort(const int64_t* keys, int64_t n, int64_t* sorted, int64_t* places) {
  const auto vector = [&](const int64_t* data) {
    return at::for_blob(const_cast<int64_t*>(data), {n})
        .options(at::TensorOptions().dtype(at::kLong).device(device_))
        .target_device(device_)
        .make_tensor();
  };
  Tensor values = vector(sorted), indices = vector(places);
  at::sort_out(values, indices, vector(keys), /*stable=*/true, /*dim=*/0);
}

void check_launched(const cuda::Status& status) {
  TORCH_CHECK(!status.failed(), status.kernel,
              ": CUDA could not start the kernel: ", cuda::error_text(status.code));
}

}  // namespace pt::ops
