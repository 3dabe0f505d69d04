// Layer norm, alone and after a residual addition with dropout, against plain loops in float64.
// The gradient's oracle is the whole Jacobian of a row, not the kernel's formula.
#include "calls.h"
#include "philox.h"
#include "values.h"

namespace pt::test {
namespace {

struct Case {
  int64_t rows, columns;
  Type type, parameters;
  bool residual = false, second_gradient = false;
  double shift = 0.0, dropout = 0.0;
  bool constant = false;
  double eps = 1e-5;

  std::string name() const {
    return std::to_string(rows) + "x" + std::to_string(columns) + " " + name_of(type) + " gains " +
           name_of(parameters) + (residual ? " residual" : "") +
           (second_gradient ? " second gradient" : "") + (shift != 0 ? " shift" : "") +
           (dropout > 0 ? " dropout" : "") + (constant ? " constant" : "");
  }
};

struct Statistics {
  double mean, rstd, largest;  // largest: of |x|
};

// Rows lie a little apart, and what is between them is NaN.
struct Rows {
  Values values;
  int64_t stride;

  Rows(Type type, int64_t rows, int64_t columns)
      : values(type, rows == 0 ? 0 : (rows - 1) * spaced(columns, 3) + columns),
        stride(spaced(columns, 3)) {}
  double at(int64_t i, int64_t j) const { return values[i * stride + j]; }
};

class Call {
 public:
  explicit Call(const Case& c) : Call(c, Random(11)) {}

  void run(const Kernels& kernels) {
    LayerNormForwardArgs args{};
    args.rows = c_.rows;
    args.columns = c_.columns;
    args.type = c_.type;
    args.x = x_.values.data();
    args.x_stride = x_.stride;
    if (c_.residual) {
      args.residual = residual_.values.data();
      args.residual_stride = residual_.stride;
      args.sum = sum_.data();
      args.dropout = dropout_;
    }
    args.weight = {weight_.data(), weight_.type()};
    args.bias = {bias_.data(), bias_.type()};
    args.eps = c_.eps;
    args.out = out_.data();
    args.mean = mean_.data();
    args.rstd = rstd_.data();
    kernels.layer_norm_forward(args);
  }

  void run_backward(const Kernels& kernels) {
    for (int64_t i = 0; i < c_.rows; i++) {
      const Statistics s = statistics(i);
      mean_.set(i, s.mean);
      rstd_.set(i, s.rstd);
    }
    LayerNormBackwardArgs args{};
    args.rows = c_.rows;
    args.columns = c_.columns;
    args.type = c_.type;
    args.grad_out = grad_.values.data();
    args.grad_out_stride = grad_.stride;
    if (c_.second_gradient) {
      args.grad_sum_in = grad_in_.values.data();
      args.grad_sum_in_stride = grad_in_.stride;
    }
    args.sum = c_.residual ? sum_.data() : x_.values.data();
    args.sum_stride = c_.residual ? c_.columns : x_.stride;
    args.weight = {weight_.data(), weight_.type()};
    args.mean = mean_.data();
    args.rstd = rstd_.data();
    args.dropout = dropout_;
    args.grad_sum = grad_sum_.data();
    args.grad_x = grad_x_.data();
    args.grad_weight = grad_weight_.data();
    args.grad_bias = grad_bias_.data();
    kernels.layer_norm_backward(args);
  }

  void check(Report& report) const {
    for (int64_t i = 0; i < c_.rows; i++) {
      if (c_.residual) check_sum(report, i);
      check_row(report, i);
    }
  }

  void check_backward(Report& report) const {
    for (int64_t i = 0; i < c_.rows; i++) check_gradient(report, i);
    for (int64_t j = 0; j < c_.columns; j++) check_gains(report, j);
  }

  std::vector<const Values*> results() const {
    return {&out_, &mean_, &rstd_, &grad_sum_, &grad_weight_, &grad_bias_};
  }

 private:
  Call(const Case& c, Random random)
      : c_(c), x_(c.type, c.rows, c.columns), residual_(c.type, c.rows, c.columns),
        grad_(c.type, c.rows, c.columns), grad_in_(c.type, c.rows, c.columns),
        weight_(random.normals(c.parameters, c.columns)),
        bias_(random.normals(c.parameters, c.columns)), out_(c.type, c.rows * c.columns),
        sum_(c.type, c.rows * c.columns), mean_(arithmetic_of(c.type), c.rows),
        rstd_(arithmetic_of(c.type), c.rows), grad_sum_(c.type, c.rows * c.columns),
        grad_x_(c.type, c.rows * c.columns), grad_weight_(c.parameters, c.columns),
        grad_bias_(c.parameters, c.columns), dropout_(dropout_of(c.dropout, 99)) {
    for (int64_t i = 0; i < c.rows; i++) {
      for (int64_t j = 0; j < c.columns; j++) {
        const double x = c.constant && j > 0 ? x_.at(i, 0) : random.normal() + c.shift;
        x_.values.set(i * x_.stride + j, x);
        residual_.values.set(i * x_.stride + j, random.normal());
        grad_.values.set(i * x_.stride + j, random.normal());
        grad_in_.values.set(i * x_.stride + j, random.normal());
      }
    }
  }

  // What was normalised: the sum as it is stored.
  double input(int64_t i, int64_t j) const {
    return c_.residual ? sum_[i * c_.columns + j] : x_.at(i, j);
  }

  Statistics statistics(int64_t i) const {
    double mean = 0, variance = 0, largest = 0;
    for (int64_t j = 0; j < c_.columns; j++) mean += input(i, j);
    mean /= double(c_.columns);
    for (int64_t j = 0; j < c_.columns; j++) {
      variance += (input(i, j) - mean) * (input(i, j) - mean);
      largest = std::fmax(largest, std::fabs(input(i, j)));
    }
    return {mean, 1 / std::sqrt(variance / double(c_.columns) + c_.eps), largest};
  }

  void check_sum(Report& report, int64_t i) const {
    for (int64_t j = 0; j < c_.columns; j++) {
      const double term = multiplier(dropout_, j, i) * x_.at(i, j), other = residual_.at(i, j);
      const double magnitude = std::fabs(term) + std::fabs(other);
      report.compare("sum", i * c_.columns + j, sum_[i * c_.columns + j], term + other,
                     tolerance(c_.type, c_.type, 1, magnitude, term + other));
    }
  }

  void check_row(Report& report, int64_t i) const {
    const Statistics s = statistics(i);
    const Type own = arithmetic_of(c_.type);
    const double n = double(c_.columns), condition = 1 + s.largest * s.rstd;
    report.compare("mean", i, mean_[i], s.mean, tolerance(own, own, n, s.largest, s.mean));
    report.compare("rstd", i, rstd_[i], s.rstd, tolerance(own, own, n, s.rstd * condition, s.rstd));
    for (int64_t j = 0; j < c_.columns; j++) {
      const double normal = (input(i, j) - s.mean) * s.rstd;
      const double expected = normal * weight_[j] + bias_[j];
      // An error of the mean or of rstd grows with how large the row is beside its spread.
      const double magnitude =
          (1 + std::fabs(normal)) * condition * std::fabs(weight_[j]) + std::fabs(bias_[j]);
      report.compare("out", i * c_.columns + j, out_[i * c_.columns + j], expected,
                     tolerance(c_.type, c_.type, n, magnitude, expected));
    }
  }

  double normal(int64_t i, int64_t j) const { return (input(i, j) - mean_[i]) * rstd_[i]; }

  // d out[i] / d sum[j] = weight[i] rstd ((i = j) - 1/n - normal[i] normal[j] / n).
  void check_gradient(Report& report, int64_t row) const {
    const double n = double(c_.columns);
    std::vector<double> h, scaled;
    for (int64_t i = 0; i < c_.columns; i++) {
      h.push_back(normal(row, i));
      scaled.push_back(grad_.at(row, i) * weight_[i]);
    }
    for (int64_t j = 0; j < c_.columns; j++) {
      Sum sum;
      for (int64_t i = 0; i < c_.columns; i++) {
        const double own = i == j ? 1 : 0;
        sum.add(scaled[size_t(i)] * rstd_[row] * own);
        sum.add(-scaled[size_t(i)] * rstd_[row] / n);
        sum.add(-scaled[size_t(i)] * rstd_[row] * h[size_t(i)] * h[size_t(j)] / n);
      }
      if (c_.second_gradient) sum.add(grad_in_.at(row, j));
      const int64_t at = row * c_.columns + j;
      // Subtracting the mean costs digits where rows are large beside their spread.
      const double condition = 1 + std::fabs(mean_[row]) * rstd_[row];
      const double allowed = tolerance(c_.type, c_.type, n, sum.magnitude * condition, sum.value);
      report.compare("grad_sum", at, grad_sum_[at], sum.value, allowed);
      if (c_.dropout == 0) continue;
      const double keep = multiplier(dropout_, j, row);
      report.compare("grad_x", at, grad_x_[at], keep * sum.value, keep * allowed);
    }
  }

  void check_gains(Report& report, int64_t j) const {
    Sum weight, bias;
    double condition = 1;
    for (int64_t i = 0; i < c_.rows; i++) {
      weight.add(grad_.at(i, j) * normal(i, j));
      bias.add(grad_.at(i, j));
      condition = std::fmax(condition, 1 + std::fabs(mean_[i]) * rstd_[i]);
    }
    const double length = double(c_.rows);
    const double magnitude = condition * (weight.magnitude + bias.magnitude);
    report.compare("grad_weight", j, grad_weight_[j], weight.value,
                   tolerance(c_.type, c_.parameters, length, magnitude, weight.value));
    report.compare("grad_bias", j, grad_bias_[j], bias.value,
                   tolerance(c_.type, c_.parameters, length, bias.magnitude, bias.value));
  }

  const Case c_;
  Rows x_, residual_, grad_, grad_in_;
  Values weight_, bias_, out_, sum_, mean_, rstd_, grad_sum_, grad_x_, grad_weight_, grad_bias_;
  const Dropout dropout_;
};

std::vector<Case> cases(Type type) {
  std::vector<Case> all;
  for (const int64_t columns : {1, 2, 13, 14, 15, 16, 17, 31, 32, 33, 64, 255, 256, 257}) {
    all.push_back({3, columns, type, type});
    Case c{3, columns, type, type, true};
    c.second_gradient = true;
    c.dropout = 0.25;
    all.push_back(c);
  }
  for (const int64_t columns : {520, 1032, 2056, 4104}) {  // held by more and more threads
    Case c{columns > 2000 ? 1 : 35, columns, type, type, true};
    c.second_gradient = true;
    c.dropout = 0.25;
    all.push_back(c);
  }
  for (const int64_t rows : {0, 1, 14, 63, 64, 65, 130}) {
    all.push_back({rows, 21, type, type, rows % 2 == 0});
  }
  if (is_half(type)) {
    Case c{9, 37, type, Type::float32, true};
    c.dropout = 0.5;
    all.push_back(c);
  }
  Case shifted{5, 48, type, type};
  shifted.shift = 30;
  all.push_back(shifted);
  Case constant{5, 48, type, type};
  constant.constant = true;
  all.push_back(constant);
  return all;
}

void determinism(Report& report, const Kernels& kernels, Type type) {
  Case c{300, 45, type, type, true};
  c.dropout = 0.1;
  check_threads<Call>(report, kernels, c);
}

}  // namespace
}  // namespace pt::test

int main() {
  using namespace pt::test;
  Report report;
  for_each_isa([&](const pt::Kernels& kernels) {
    for (const pt::Type type : kTypes) {
      for (const Case& c : some_of(cases(type))) check_case<Call>(report, kernels, c);
      determinism(report, kernels, type);
    }
  });
  return report.finish();
}
