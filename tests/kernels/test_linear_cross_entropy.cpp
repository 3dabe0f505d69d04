// Linear layer and cross-entropy in one, with its gradients, against plain loops in float64.
#include <limits>
#include <vector>

#include "check.h"
#include "values.h"

namespace pt::test {
namespace {

struct Case {
  int64_t rows, columns, vocabulary;
  Type x, weight;
  double smoothing = 0.1, scale = 1.0;
  bool bias = false, row_weights = false, transposed = false, excludes = false;
  int64_t ignore_index = -100;

  std::string name() const {
    return std::to_string(rows) + "x" + std::to_string(columns) + " to " +
           std::to_string(vocabulary) + " " + name_of(x) + " weight " + name_of(weight) +
           (smoothing > 0 ? " smoothing" : "") + (bias ? " bias" : "") +
           (row_weights ? " row weights" : "") + (transposed ? " transposed" : "") +
           (excludes ? " excludes" : "") + (scale != 1 ? " large" : "") +
           (ignore_index >= 0 ? " ignores" : "");
  }
};

// One row's softmax and loss.
struct Row {
  std::vector<double> z, p;
  double loss = 0;
  double peak = 0;  // of |z| among finite ones
};

class Call {
 public:
  explicit Call(const Case& c) : Call(c, Random(31)) {}

  void run(const Kernels& kernels, bool gradients = true) {
    LinearCrossEntropyArgs args{};
    args.rows = c_.rows;
    args.columns = c_.columns;
    args.vocabulary = c_.vocabulary;
    args.x = matrix(x_, x_stride_, 1);
    args.weight =
        c_.transposed ? matrix(weight_, 1, c_.vocabulary) : matrix(weight_, c_.columns, 1);
    args.weight.round_to_bfloat16 = rounds_;
    if (c_.bias) args.bias = {bias_.data(), bias_.type()};
    args.targets = targets_.data();
    args.ignore_index = c_.ignore_index;
    args.label_smoothing = c_.smoothing;
    if (c_.row_weights) args.row_weights = row_weights_.data();
    args.uniform_weight = kUniform;
    args.losses = losses_.data();
    if (gradients) {
      args.grad_x = grad_x_.data();
      args.grad_weight = grad_weight_.data();
      if (c_.bias) args.grad_bias = grad_bias_.data();
    }
    kernels.linear_cross_entropy(args);
  }

  void check(Report& report, const Kernels& kernels) {
    pairs_ = c_.x == Type::bfloat16 && multiplies_pairs(kernels);
    std::vector<Row> rows;
    for (int64_t i = 0; i < c_.rows; i++) {
      rows.push_back(row_of(i));
      const Row& row = rows.back();
      const bool counts = targets_[size_t(i)] != c_.ignore_index;
      report.compare("loss", i, losses_[i], counts ? row.loss : 0.0,
                     tolerance(c_.x, arithmetic_of(c_.x), length(), 2 * row.peak + 10, row.loss));
    }
    check_grad_x(report, rows);
    check_grad_weight(report, rows);
  }

  const Values& losses() const { return losses_; }
  const Values& grad_x() const { return grad_x_; }
  void set_target(int64_t row, int64_t target) { targets_[size_t(row)] = target; }
  std::vector<const Values*> results() const { return {&losses_, &grad_x_, &grad_weight_}; }

 private:
  static constexpr double kUniform = 0.125;

  Call(const Case& c, Random random)
      : c_(c), x_stride_(spaced(c.columns, 3)), rounds_(c.x != c.weight),
        x_(c.x, c.rows == 0 ? 0 : (c.rows - 1) * x_stride_ + c.columns),
        weight_(random.normals(c.weight, c.vocabulary * c.columns)),
        bias_(random.normals(c.weight, c.vocabulary)),
        row_weights_(random.normals(arithmetic_of(c.x), c.rows)),
        losses_(arithmetic_of(c.x), c.rows), grad_x_(c.x, c.rows * c.columns),
        grad_weight_(c.weight, c.vocabulary * c.columns), grad_bias_(c.weight, c.vocabulary) {
    const double spread = c.scale / std::sqrt(double(c.columns));
    for (int64_t i = 0; i < c.rows; i++) {
      for (int64_t k = 0; k < c.columns; k++) x_.set(i * x_stride_ + k, random.normal() * spread);
      targets_.push_back(random.below(c.vocabulary));
      if (c.excludes && targets_.back() == c.vocabulary - 1) targets_.back() = 0;
      if (c.ignore_index >= 0 && i % 3 == 0) targets_.back() = c.ignore_index;
    }
    targets_.shrink_to_fit();
    if (c.excludes) bias_.set(c.vocabulary - 1, -std::numeric_limits<double>::infinity());
  }

  double x(int64_t i, int64_t k) const { return x_[i * x_stride_ + k]; }
  double weight(int64_t v, int64_t k) const {
    const double w = c_.transposed ? weight_[k * c_.vocabulary + v] : weight_[v * c_.columns + k];
    return rounds_ ? rounded(w, c_.x) : w;
  }
  double length() const { return double(c_.columns + c_.vocabulary); }
  double weight_of_row(int64_t i) const { return c_.row_weights ? row_weights_[i] : kUniform; }

  Row row_of(int64_t i) const {
    Row row;
    double top = -std::numeric_limits<double>::infinity(), sum = 0, mean = 0;
    for (int64_t v = 0; v < c_.vocabulary; v++) {
      double z = c_.bias ? bias_[v] : 0, magnitude = std::isfinite(z) ? std::fabs(z) : 0;
      for (int64_t k = 0; k < c_.columns; k++) {
        z += x(i, k) * weight(v, k);
        magnitude += std::fabs(x(i, k) * weight(v, k));
      }
      row.z.push_back(z);
      row.peak = std::fmax(row.peak, magnitude);
      top = std::fmax(top, z);
      mean += z / double(c_.vocabulary);
    }
    for (const double z : row.z) sum += std::exp(z - top);
    for (const double z : row.z) row.p.push_back(std::exp(z - top) / sum);
    const int64_t target = targets_[size_t(i)];
    if (target == c_.ignore_index) return row;
    const double s = c_.smoothing;
    row.loss = top + std::log(sum) - (1 - s) * row.z[size_t(target)] - (s > 0 ? s * mean : 0);
    return row;
  }

  // d objective / d z[i, v], and the sum of its terms' magnitudes.
  Sum slope(const std::vector<Row>& rows, int64_t i, int64_t v) const {
    Sum sum;
    if (targets_[size_t(i)] == c_.ignore_index) return sum;
    const double own = targets_[size_t(i)] == v ? 1 : 0;
    // An error of z is one of log p.
    const double p = rows[size_t(i)].p[size_t(v)];
    sum.add(weight_of_row(i) * p);
    sum.magnitude *= 1 + 2 * rows[size_t(i)].peak;
    sum.add(-weight_of_row(i) * c_.smoothing / double(c_.vocabulary));
    sum.add(-weight_of_row(i) * (1 - c_.smoothing) * own);
    return sum;
  }

  void check_grad_x(Report& report, const std::vector<Row>& rows) const {
    for (int64_t i = 0; i < c_.rows; i++) {
      for (int64_t k = 0; k < c_.columns; k++) {
        Sum sum;
        for (int64_t v = 0; v < c_.vocabulary; v++) {
          const Sum dz = slope(rows, i, v);
          sum.value += dz.value * weight(v, k);
          sum.magnitude += dz.magnitude * std::fabs(weight(v, k));
        }
        const int64_t at = i * c_.columns + k;
        report.compare("grad_x", at, grad_x_[at], sum.value, allowed(c_.x, length(), sum));
      }
    }
  }

  // A sum with the logits' gradient, which is rounded where it is multiplied in pairs.
  double allowed(Type stored, double terms, const Sum& sum) const {
    return tolerance(c_.x, stored, terms, sum.magnitude, sum.value) +
           (pairs_ ? rounded_terms(c_.x, sum.magnitude) : 0.0);
  }

  void check_grad_weight(Report& report, const std::vector<Row>& rows) const {
    const double terms = length() + double(c_.rows);
    for (int64_t v = 0; v < c_.vocabulary; v++) {
      std::vector<Sum> sums(size_t(c_.columns));
      Sum bias;
      for (int64_t i = 0; i < c_.rows; i++) {
        const Sum dz = slope(rows, i, v);
        bias.value += dz.value;
        bias.magnitude += dz.magnitude;
        for (int64_t k = 0; k < c_.columns; k++) {
          sums[size_t(k)].value += dz.value * x(i, k);
          sums[size_t(k)].magnitude += dz.magnitude * std::fabs(x(i, k));
        }
      }
      for (int64_t k = 0; k < c_.columns; k++) {
        const int64_t at = v * c_.columns + k;
        const Sum& sum = sums[size_t(k)];
        report.compare("grad_weight", at, grad_weight_[at], sum.value,
                       allowed(c_.weight, terms, sum));
      }
      if (c_.bias) {
        report.compare("grad_bias", v, grad_bias_[v], bias.value, allowed(c_.weight, terms, bias));
      }
    }
  }

  const Case c_;
  const int64_t x_stride_;
  const bool rounds_;
  bool pairs_ = false;
  Values x_, weight_, bias_, row_weights_, losses_, grad_x_, grad_weight_, grad_bias_;
  Elements<int64_t> targets_;
};

std::vector<Case> cases(Type x, Type weight) {
  std::vector<Case> all;
  for (const int64_t vocabulary : {1, 2, 13, 14, 15, 16, 31, 32, 33, 255, 257}) {
    all.push_back({5, 9, vocabulary, x, weight});
  }
  for (const int64_t rows : {0, 1, 14, 33}) all.push_back({rows, 17, 20, x, weight});
  // Two chunks of rows of CUDA's kernel, where there is time for them, or three of the CPU's.
#ifdef PT_TEST_CUDA
  const int64_t rows = asked_stride(PT_TEST_EVERY) == 1 ? 4100 : 1030;
#else
  constexpr int64_t rows = 1030;
#endif
  all.push_back({rows, 3, 5, x, weight});
  for (const int64_t columns : {16, 24}) all.push_back({9, columns, 40, x, weight});
  for (const double smoothing : {0.0, 0.1, 1.0}) {
    Case c{20, 15, 37, x, weight, smoothing};
    c.bias = true;
    all.push_back(c);
    c.row_weights = true;
    c.transposed = true;
    c.ignore_index = 2;
    all.push_back(c);
    c.ignore_index = -100;
    c.row_weights = false;
    c.scale = 40;
    all.push_back(c);
  }
  Case c{9, 8, 21, x, weight, 0.0};
  c.bias = c.excludes = true;
  all.push_back(c);
  return all;
}

void losses_alone(Report& report, const Kernels& kernels, const Case& c) {
  report.begin(std::string(kernels.isa) + " losses alone, " + c.name());
  Call alone(c), whole(c);
  alone.run(kernels, false);
  whole.run(kernels);
  report.require(alone.losses().same_bits(whole.losses()), "differ from those with gradients");
}

#ifdef PT_TEST_CUDA
// On the CPU whoever calls has checked them.
void strays(Report& report, const Kernels& kernels, const Case& c) {
  report.begin(std::string(kernels.isa) + " targets that do not exist, " + c.name());
  Call call(c);
  call.set_target(1, -1);
  call.set_target(3, c.vocabulary);
  call.set_target(4, int64_t(1) << 40);
  call.run(kernels);
  for (int64_t i = 0; i < c.rows; i++) {
    const bool exists = i != 1 && i != 3 && i != 4;
    report.require(std::isnan(call.losses()[i]) != exists, "the loss is NaN where it is none");
    report.require(std::isnan(call.grad_x()[i * c.columns]) != exists, "so is the gradient");
  }
}
#endif

void determinism(Report& report, const Kernels& kernels, Type type) {
  const Case c{600, 20, 70, type, type};
  report.begin(std::string(kernels.isa) + " threads, " + c.name());
  Call one(c), three(c);
  on_threads(1, [&] { one.run(kernels); });
  on_threads(3, [&] { three.run(kernels); });
  for (size_t i = 0; i < one.results().size(); i++) {
    report.require(one.results()[i]->same_bits(*three.results()[i]), "1 and 3 threads differ");
  }
}

void run(Report& report, const Kernels& kernels, Type x, Type weight) {
  for (const Case& c : some_of(cases(x, weight))) {
    report.begin(std::string(kernels.isa) + " " + c.name());
    Call call(c);
    call.run(kernels);
    call.check(report, kernels);
  }
  losses_alone(report, kernels, {33, 17, 20, x, weight});
#ifdef PT_TEST_CUDA
  strays(report, kernels, {6, 9, 13, x, weight});
#endif
}

}  // namespace
}  // namespace pt::test

int main() {
  using namespace pt::test;
  Report report;
  for_each_isa([&](const pt::Kernels& kernels) {
    for (const pt::Type type : kTypes) {
      run(report, kernels, type, type);
      determinism(report, kernels, type);
    }
    run(report, kernels, pt::Type::bfloat16, pt::Type::float32);
#ifdef PT_TEST_CUDA
    run(report, kernels, pt::Type::float16, pt::Type::float32);
#endif
  });
  return report.finish();
}
