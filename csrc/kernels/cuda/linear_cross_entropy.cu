// Linear layer and cross-entropy in one: the logits of a chunk of rows are computed, scored, turned
// into their own gradient, and used at once for the three gradients; they never exist whole.
//
// The chunk's size depends on the vocabulary alone, and the weight's gradient continues from chunk
// to chunk. Logits are float32 (float64 for float64 rows); beside bfloat16 rows their gradient is
// rounded to bfloat16, so that both products with it run on tensor cores. float16 would lose what
// is small in it, a share of a token in a batch, so there it stays float32.
#include <type_traits>

#include "functions.h"
#include "lanes.h"
#include "matmul_operands.h"

namespace pt::cuda {
namespace {

constexpr int64_t kChunkBytes = int64_t(256) << 20;  // of logits
constexpr int64_t kMostRows = 4096, kLeastRows = 128;
constexpr int kWarps = 8, kThreads = kWarps * kWarp;
constexpr int kSize = 8;  // neighbours that a thread takes at a time

template <class T>
struct LossShared {
  T largest[kWarps], sums[kWarps][2];
};

// One row of a chunk, whose logits lie at z and whose gradient goes to `grad`: the same place where
// both have one type, since threads write what they have read themselves.
template <class T, class G>
class LossRow {
 public:
  __device__ LossRow(const LinearCrossEntropyArgs& args, int64_t row, const T* z, G* grad,
                     int64_t width, LossShared<T>& shared)
      : args_(args), row_(row), columns_(args.vocabulary), width_(width), z_(z), grad_(grad),
        shared_(shared) {}

  __device__ __forceinline__ void run(bool gradients) {
    const int64_t target = args_.targets[row_];
    const bool counts = target != args_.ignore_index;
    // A target that does not exist is not looked up: its loss and its gradient are NaN.
    const bool exists = target >= 0 && target < columns_;
    const T chosen = counts && exists ? z_[target] : T(NAN);  // read before anything is written
    if (!counts) {
      if (threadIdx.x == 0) static_cast<T*>(args_.losses)[row_] = 0;
      if (gradients) write([](int64_t, T) { return T(0); });
      return;
    }
    reduce();
    if (threadIdx.x == 0) static_cast<T*>(args_.losses)[row_] = loss(chosen);
    if (!gradients) return;
    const T smoothing = T(args_.label_smoothing), weight = exists ? row_weight() : T(NAN);
    const T factor = weight / sum_, offset = -weight * smoothing / T(columns_);
    const T of_target = weight * (T(1) - smoothing);
    write([&](int64_t j, T x) {
      const T slope = natural_exp(x - base_) * factor + offset;
      return j == target ? slope - of_target : slope;
    });
  }

 private:
  // base_, sum_ of e^(z - base_), total_ of z: each thread over its own columns, then of the block.
  __device__ __forceinline__ void reduce() {
    T largest = -T(INFINITY), sums[2] = {0, 0};
    for (int64_t j = threadIdx.x * kSize; j < columns_; j += kThreads * kSize) {
      T x[kSize], top = largest;
      load_vectors(z_ + j, x);
#pragma unroll
      for (int e = 0; e < kSize; e++) {
        if (j + e < columns_) top = greater(top, x[e]);
      }
      const T base = base_of(top);
      sums[0] *= natural_exp(largest - base);
#pragma unroll
      for (int e = 0; e < kSize; e++) {
        if (j + e >= columns_) continue;
        sums[0] += natural_exp(x[e] - base);
        sums[1] += x[e];
      }
      largest = top;
    }
    T top = lanes_max(largest);
    if (threadIdx.x % kWarp == 0) shared_.largest[threadIdx.x / kWarp] = top;
    __syncthreads();
#pragma unroll
    for (int warp = 0; warp < kWarps; warp++) top = greater(top, shared_.largest[warp]);
    base_ = base_of(top);
    if (largest != -T(INFINITY)) sums[0] *= natural_exp(largest - base_);
    warps_sum(sums, shared_.sums);
    sum_ = sums[0];
    total_ = sums[1];
  }
  // Where everything so far is -infinity, any finite base keeps its powers at 0.
  static __device__ __forceinline__ T base_of(T largest) {
    return largest == -T(INFINITY) ? T(0) : largest;
  }

  __device__ __forceinline__ T loss(T chosen) const {
    const T smoothing = T(args_.label_smoothing), lse = base_ + natural_log(sum_);
    // Without smoothing a logit of -infinity (an excluded class) must not reach the mean.
    if (smoothing == T(0)) return lse - chosen;
    return (T(1) - smoothing) * (lse - chosen) + smoothing * (lse - total_ / T(columns_));
  }
  __device__ __forceinline__ T row_weight() const {
    return args_.row_weights != nullptr ? static_cast<const T*>(args_.row_weights)[row_]
                                        : T(args_.uniform_weight);
  }

  // The gradient, zeros behind the columns.
  template <class Slope>
  __device__ __forceinline__ void write(const Slope& slope) const {
    for (int64_t j = threadIdx.x * kSize; j < width_; j += kThreads * kSize) {
      T x[kSize];
      load_vectors(z_ + j, x);
#pragma unroll
      for (int e = 0; e < kSize; e++) x[e] = j + e < columns_ ? slope(j + e, x[e]) : T(0);
      store_vectors(x, grad_ + j);
    }
  }

  const LinearCrossEntropyArgs& args_;
  const int64_t row_, columns_, width_;
  const T* const z_;
  G* const grad_;
  LossShared<T>& shared_;
  T base_, sum_, total_;
};

template <class T, class G>
__global__ void __launch_bounds__(kThreads, 2)
    score_rows(const __grid_constant__ LinearCrossEntropyArgs args, const int64_t first,
               const T* logits, G* grads, const int64_t width, const bool gradients) {
  auto& shared = shared_layout<LossShared<T>>();
  const int64_t at = blockIdx.x * width;
  LossRow<T, G>(args, first + blockIdx.x, logits + at, grads + at, width, shared).run(gradients);
}

// Sums in T to what is asked for.
template <class T>
__global__ void __launch_bounds__(kThreads)
    round_all(const T* from, void* to, const Type type, const int64_t n, const bool aligned) {
  const int64_t at = (int64_t(blockIdx.x) * kThreads + threadIdx.x) * kSize;
  if (at >= n) return;
  T x[kSize];
  load_up_to(from + at, n - at, true, x);
  store_typed(x, to, type, at, n - at, aligned);
}

constexpr const char* kName = "linear_cross_entropy";

template <class S>
class CrossEntropy {
 public:
  using T = Compute<S>;
  using G = std::conditional_t<std::is_same_v<S, bfloat16>, bfloat16, T>;

  CrossEntropy(const LinearCrossEntropyArgs& args, Queue& queue)
      : args_(args), queue_(queue), width_(pieces_of(args.vocabulary, kSize) * kSize),
        chunk_(max(kLeastRows, min(kMostRows, kChunkBytes / int64_t(sizeof(T)) / width_))),
        weight_(args.weight) {}

  Status run() {
    take();
    if (sizeof(S) == 2) rewrite_weight();
    // Also without rows: the gradients are zero then, not undefined.
    for (int64_t first = 0; first == 0 || first < args_.rows; first += chunk_) {
      chunk(first, min(args_.rows - first, chunk_));
    }
    round_to(args_.grad_weight, args_.weight.type, grad_weight_, args_.vocabulary * args_.columns);
    round_to(args_.grad_bias, args_.bias.type, grad_bias_, args_.vocabulary);
    return status_;
  }

 private:
  static constexpr Type own_type() { return sizeof(T) == 8 ? Type::float64 : Type::float32; }
  static constexpr Type grad_type() { return sizeof(G) == 2 ? Type::bfloat16 : own_type(); }

  void take() {
    const int64_t logits = min(args_.rows, chunk_) * width_;
    logits_ = static_cast<T*>(queue_.take(size_t(logits) * sizeof(T)));
    if constexpr (std::is_same_v<T, G>) {
      grads_ = logits_;
    } else {
      grads_ = static_cast<G*>(queue_.take(gradients() ? size_t(logits) * sizeof(G) : 0));
    }
    grad_weight_ =
        accumulator(args_.grad_weight, args_.weight.type, args_.vocabulary * args_.columns);
    grad_bias_ = accumulator(args_.grad_bias, args_.bias.type, args_.vocabulary);
  }
  T* accumulator(void* out, Type type, int64_t n) {
    if (out == nullptr) return nullptr;
    return static_cast<T*>(type == own_type() ? out : queue_.take(size_t(n) * sizeof(T)));
  }
  bool gradients() const {
    return args_.grad_x != nullptr || args_.grad_weight != nullptr || args_.grad_bias != nullptr;
  }

  // Once for all chunks, where a product could not take it as it lies.
  void rewrite_weight() {
    if constexpr (sizeof(S) == 2) {
      Operand operand;
      then(make_operand<S>(args_.weight, args_.vocabulary, args_.columns, args_.x.type, queue_,
                           operand));
      weight_ = {operand.data, args_.x.type, operand.stride, 1};
    }
  }

  // Nothing is queued after something that could not be.
  void then(const Status& status) {
    if (!status_.failed()) status_ = status;
  }
  void multiply(const MatmulArgs& product) {
    if (!status_.failed()) then(queue_.multiply(product));
  }

  void chunk(int64_t first, int64_t rows) {
    Matrix x = args_.x;
    x.data = static_cast<const S*>(x.data) + first * x.row_stride;
    compute_logits(x, rows);
    if (rows > 0 && !status_.failed()) {
      then(launch(kName, score_rows<T, G>, unsigned(rows), kThreads, sizeof(LossShared<T>), queue_,
                  args_, first, logits_, grads_, width_, gradients()));
    }
    const Matrix grads{grads_, grad_type(), width_, 1};
    if (args_.grad_x != nullptr) gradient_of_x(grads, first, rows);
    if (grad_weight_ != nullptr) gradient_of_weight(grads, x, rows, first > 0);
    if (grad_bias_ != nullptr && !status_.failed()) {
      then(column_sums(
          {rows, args_.vocabulary, grads_, grad_type(), width_, grad_bias_, own_type(), first > 0},
          queue_));
    }
  }

  void compute_logits(const Matrix& x, int64_t rows) {
    MatmulArgs product{};
    product.m = rows;
    product.n = args_.vocabulary;
    product.k = args_.columns;
    product.a = x;
    product.b = weight_.transposed();
    product.out = logits_;
    product.out_type = own_type();
    product.out_stride = width_;
    product.epilogue.bias = args_.bias;
    multiply(product);
  }
  void gradient_of_x(const Matrix& grads, int64_t first, int64_t rows) {
    MatmulArgs product{};
    product.m = rows;
    product.n = args_.columns;
    product.k = args_.vocabulary;
    product.a = grads;
    product.b = weight_;
    product.out = static_cast<S*>(args_.grad_x) + first * args_.columns;
    product.out_type = args_.x.type;
    product.out_stride = args_.columns;
    multiply(product);
  }
  void gradient_of_weight(const Matrix& grads, const Matrix& x, int64_t rows, bool accumulate) {
    MatmulArgs product{};
    product.m = args_.vocabulary;
    product.n = args_.columns;
    product.k = rows;
    product.a = grads.transposed();
    product.b = x;
    product.out = grad_weight_;
    product.out_type = own_type();
    product.out_stride = args_.columns;
    product.accumulate = accumulate;
    multiply(product);
  }

  void round_to(void* out, Type type, const T* sums, int64_t n) {
    if (out == nullptr || type == own_type() || n == 0 || status_.failed()) return;
    const int64_t threads = pieces_of(n, kSize);
    then(launch(kName, round_all<T>, unsigned(pieces_of(threads, kThreads)), kThreads, 0, queue_,
                sums, out, type, n, is_aligned(out)));
  }

  const LinearCrossEntropyArgs& args_;
  Queue& queue_;
  const int64_t width_, chunk_;  // columns of the logits in memory; rows of a chunk
  Matrix weight_;
  T *logits_ = nullptr, *grad_weight_ = nullptr, *grad_bias_ = nullptr;
  G* grads_ = nullptr;
  Status status_;
};

}  // namespace

Status linear_cross_entropy(const LinearCrossEntropyArgs& args, Queue& queue) {
  if (args.vocabulary == 0) return {};
  return with_storage(
      args.x.type, [&](auto stored) { return CrossEntropy<decltype(stored)>(args, queue).run(); });
}

}  // namespace pt::cuda
