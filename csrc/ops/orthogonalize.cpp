// orthogonalize: what the Muon optimizer makes of a weight's gradient, by matrix products alone.
#include <ATen/Parallel.h>

#include <cmath>
#include <utility>

#include "device.h"
#include "ops.h"

namespace pt::ops {
namespace {

// A step takes every singular value s to a s + b s^3 + c s^5, which brings what is in (0, 1] near 1
// fast, if not exactly (coefficients of Jordan et al. 2024, "Muon: An optimizer for hidden layers
// in neural networks").
constexpr double kLinear = 3.4445, kCubic = -4.7750, kQuintic = 2.0315;
const double kScale = std::sqrt(std::sqrt(kQuintic));

// out = a b, or out += a b.
void multiply(const Matrix& a, const Matrix& b, int64_t depth, Tensor& out, bool accumulate) {
  MatmulArgs args{};
  args.m = out.size(0);
  args.n = out.size(1);
  args.k = depth;
  args.a = a;
  args.b = b;
  args.out = out.mutable_data_ptr();
  args.out_type = type_of(out);
  args.out_stride = out.stride(0);
  args.accumulate = accumulate;
  on(out).matmul(args);
}

// X <- a X + (b A + c A^2) X with A = X X^T, which is small where X has no more rows than columns.
// It goes on with Y = c^(1/4) X, in which c A^2 is the square of what Y has for A.
class Iteration {
 public:
  // x: of the arithmetic's type; narrow: operands of products are rounded to bfloat16.
  Iteration(const Tensor& x, bool narrow)
      : narrow_(narrow), y_(x.mul(kScale)), next_(at::empty_like(y_)),
        gram_(at::empty({x.size(0), x.size(0)}, x.options())), factor_(at::empty_like(gram_)) {}

  void step() {
    const int64_t rows = y_.size(0);
    multiply(operand(y_), operand(y_).transposed(), y_.size(1), gram_, false);
    at::mul_out(factor_, gram_, kCubic / (kScale * kScale));
    multiply(operand(gram_), operand(gram_), rows, factor_, true);
    at::mul_out(next_, y_, kLinear);
    multiply(operand(factor_), operand(y_), rows, next_, true);
    std::swap(y_, next_);
  }

  Tensor result() const { return y_.div(kScale); }

 private:
  Matrix operand(const Tensor& x) const {
    Matrix matrix = matrix_of(x);
    matrix.round_to_bfloat16 = narrow_;
    return matrix;
  }

  const bool narrow_;
  Tensor y_, next_, gram_, factor_;
};

// x, out: [rows, columns], contiguous, of the arithmetic's type.
void orthogonalize_one(const Tensor& x, bool narrow, int64_t steps, Tensor out) {
  const bool tall = x.size(0) > x.size(1);
  // The norm bounds every singular value. A matrix of zeros stays one.
  const Tensor norm = sum_of_squares(x).sqrt().clamp_min(1e-30).to(x.scalar_type());
  Iteration iteration((tall ? x.t() : x).div(norm).contiguous(), narrow);
  for (int64_t i = 0; i < steps; i++) iteration.step();
  out.copy_(tall ? iteration.result().t() : iteration.result());
}

}  // namespace

Tensor orthogonalize(const Tensor& x, int64_t steps) {
  constexpr const char* op = "orthogonalize";
  check_rows(op, "x", x);
  PT_CHECK(x.dim() >= 2, op, ": x has shape ", x.sizes(), "; expected [..., rows, columns]");
  PT_CHECK(steps >= 0, op, ": steps is ", steps, "; it must be at least 0");
  const bool narrow = is_half(type_of(x));
  const Tensor given = x.to(compute_type(x.scalar_type())).contiguous();
  const Tensor out = at::empty_like(given);
  if (out.numel() == 0) return out.to(x.scalar_type());
  const std::array<int64_t, 3> sizes{-1, x.size(-2), x.size(-1)};
  const Tensor from = given.view(sizes), to = out.view(sizes);
  const auto some = [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; i++) orthogonalize_one(from[i], narrow, steps, to[i]);
  };
  // Several matrices are shared out among the threads, whose caches then hold all of one; the
  // products of a single matrix are shared out themselves.
  const bool shared = x.is_cpu() && from.size(0) >= at::get_num_threads();
  shared ? at::parallel_for(0, from.size(0), 1, some) : some(0, from.size(0));
  return out.to(x.scalar_type());
}

}  // namespace pt::ops
