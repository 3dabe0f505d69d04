// Column sums, the activation on its own, sums of squares and the best log-probabilities against
// plain loops in float64.
#include <omp.h>

#include <algorithm>
#include <limits>
#include <numeric>
#include <vector>

#include "check.h"
#include "philox.h"
#include "values.h"

namespace pt::test {
namespace {

std::string label(const Kernels& kernels, const char* what, Type type, int64_t rows,
                  int64_t columns) {
  return std::string(kernels.isa) + " " + what + " " + name_of(type) + " " + std::to_string(rows) +
         "x" + std::to_string(columns);
}

// A matrix whose rows lie `stride` apart; between them is NaN.
Values apart(Random& random, Type type, int64_t rows, int64_t columns, int64_t stride) {
  Values values(type, rows == 0 ? 0 : (rows - 1) * stride + columns);
  for (int64_t i = 0; i < rows; i++) {
    for (int64_t j = 0; j < columns; j++) values.set(i * stride + j, random.normal());
  }
  return values;
}

constexpr int64_t kColumns[] = {1, 3, 4, 13, 14, 15, 16, 31, 32, 33, 65};

void column_sums(Report& report, const Kernels& kernels, Type type, int64_t rows, int64_t columns,
                 Type out_type, bool accumulate) {
  report.begin(label(kernels, accumulate ? "column_sums +=" : "column_sums", type, rows, columns));
  Random random(1);
  const int64_t stride = spaced(columns, 2);
  const Values x = apart(random, type, rows, columns, stride);
  const Values before = random.normals(out_type, columns);
  Values out(out_type, columns);
  for (int64_t j = 0; j < columns; j++) out.set(j, before[j]);
  kernels.column_sums({rows, columns, x.data(), type, stride, out.data(), out_type, accumulate});
  for (int64_t j = 0; j < columns; j++) {
    Sum sum;
    if (accumulate) sum.add(before[j]);
    for (int64_t i = 0; i < rows; i++) sum.add(x[i * stride + j]);
    report.compare("out", j, out[j], sum.value,
                   tolerance(type, out_type, double(rows), sum.magnitude, sum.value));
  }
}

void all_column_sums(Report& report, const Kernels& kernels, Type type) {
  for (const bool accumulate : {false, true}) {
    const Type own = arithmetic_of(type);
    for (const int64_t rows : {0, 1, 13, 255, 256, 257, 600}) {
      column_sums(report, kernels, type, rows, 19, own, accumulate);
    }
    for (const int64_t columns : kColumns) {
      column_sums(report, kernels, type, 14, columns, own, accumulate);
    }
  }
  column_sums(report, kernels, type, 300, 19, type, false);
}

double activated(Activation activation, double x) {
  switch (activation) {
    case Activation::relu:
      return x > 0 ? x : 0;
    case Activation::gelu:
      return x * 0.5 * std::erfc(-x / std::sqrt(2.0));
    case Activation::silu:
      return x / (1.0 + std::exp(-x));
    default:
      return x;
  }
}

void activation(Report& report, const Kernels& kernels, Type type, Activation kind,
                int64_t columns) {
  constexpr int64_t rows = 17;
  report.begin(label(kernels, name_of(kind), type, rows, columns));
  Random random(2);
  Values x(type, rows * columns), out(type, rows * columns);
  // From the tails, where exp2 leaves float32, to the middle.
  for (int64_t i = 0; i < x.size(); i++) {
    x.set(i, random.normal() * (i % 3 == 0 ? 60.0 : i % 3 == 1 ? 8.0 : 1.0));
  }
  const Dropout dropout = dropout_of(0.4, 3);
  kernels.activation_forward({rows, columns, x.data(), out.data(), type, kind, dropout});
  for (int64_t i = 0; i < x.size(); i++) {
    const double keep = multiplier(dropout, i % columns, i / columns);
    const double y = keep * activated(kind, x[i]);
    // The exponential's relative error is that of its argument.
    const double scale = kind == Activation::silu ? 1 + std::fabs(x[i]) : 1;
    // Below the smallest normal number results are 0.
    const double least = type == Type::float64 ? 0 : std::ldexp(1.0, -118);
    report.compare("out", i, out[i], y,
                   least + tolerance(type, type, 1, keep * scale * std::fabs(x[i]), y));
  }
}

void not_a_number_passes(Report& report, const Kernels& kernels, Type type, Activation kind) {
  report.begin(label(kernels, name_of(kind), type, 1, 20) + " NaN");
  Values x(type, 20), out(type, 20);
  kernels.activation_forward({1, 20, x.data(), out.data(), type, kind, {}});
  for (int64_t i = 0; i < 20; i++) report.compare("out", i, out[i], std::nan(""), 0);
}

using Squared = SumOfSquaresArgs::Elements;

double sum_of(const Kernels& kernels, const std::vector<Squared>& tensors) {
  Elements<double> out(1, std::nan(""));
  kernels.sum_of_squares({tensors.data(), int64_t(tensors.size()), out.data()});
  return out[0];
}

// Tensors of these lengths; every other one of `other` type.
void sum_of_squares(Report& report, const Kernels& kernels, Type type, Type other,
                    const std::vector<int64_t>& lengths) {
  const int64_t all = std::accumulate(lengths.begin(), lengths.end(), int64_t(0));
  report.begin(label(kernels, "sum_of_squares", type, int64_t(lengths.size()), all) + " " +
               name_of(other));
  Random random(4);
  std::vector<Values> values;
  std::vector<Squared> tensors;
  double expected = 0;
  for (size_t i = 0; i < lengths.size(); i++) {
    values.push_back(random.normals(i % 2 == 0 ? type : other, lengths[i]));
    const Values& x = values.back();
    tensors.push_back({x.data(), x.size(), x.type()});
    for (int64_t j = 0; j < x.size(); j++) expected += x[j] * x[j];
  }
  const double out = sum_of(kernels, tensors);
  report.compare("out", 0, out, expected,
                 tolerance(Type::float64, Type::float64, double(all), expected, expected));
  const double again =
      on_threads(omp_get_max_threads() + 1, [&] { return sum_of(kernels, tensors); });
  report.compare("out with one more thread", 0, again, out, 0);
}

void all_sums_of_squares(Report& report, const Kernels& kernels, Type type) {
  sum_of_squares(report, kernels, type, type, {});
  for (const int64_t n : {0, 1, 15, 4095, 4096, 4097, 50000}) {
    sum_of_squares(report, kernels, type, type, {n});
  }
  // Around the chunks of both devices, and nothing between, before and after.
  const std::vector<int64_t> mixed = {0, 3, 16383, 16384, 16385, 0, 0, 1, 4096, 8193, 32769, 0};
  for (const Type other : kTypes) sum_of_squares(report, kernels, type, other, mixed);
  // More than CUDA's kernel takes in one launch, some without elements.
  std::vector<int64_t> many;
  for (int64_t i = 0; i < 260; i++) many.push_back(i % 5 == 0 ? 0 : i % 40 + 1);
  sum_of_squares(report, kernels, type, Type::float32, many);
}

// What a row's logits are like. Ties go to the lower column, and 0 is not greater than -0.
enum class Logits { few, distinct, equal, excluded };

double logit(Random& random, Logits kind, int64_t column) {
  constexpr double excluded = -std::numeric_limits<double>::infinity();
  switch (kind) {
    case Logits::distinct:
      return random.normal() * 2;
    case Logits::equal:
      return column % 2 == 0 ? 0.0 : -0.0;
    case Logits::excluded:
      return column % 50 == 7 ? random.normal() : excluded;
    default:
      return random.below(40) == 0 ? excluded : double(random.below(7)) * 0.75 - 2.25;
  }
}

void top_log_probs(Report& report, const Kernels& kernels, Type type, int64_t rows, int64_t columns,
                   int64_t k, Logits kind = Logits::few) {
  report.begin(label(kernels, "top_log_probs", type, rows, columns) + " k " + std::to_string(k) +
               " kind " + std::to_string(int(kind)));
  Random random(5);
  const int64_t stride = spaced(columns, 1);
  Values logits = apart(random, type, rows, columns, stride);
  for (int64_t i = 0; i < rows; i++) {
    // At least one, or the row has no sum.
    const int64_t finite = random.below(columns);
    for (int64_t j = 0; j < columns; j++) {
      logits.set(i * stride + j, j == finite ? 0.0 : logit(random, kind, j));
    }
  }
  Values values(arithmetic_of(type), rows * k);
  Elements<int64_t> indices(size_t(rows * k), -1);
  kernels.top_log_probs(
      {rows, columns, k, logits.data(), type, stride, values.data(), indices.data()});
  for (int64_t i = 0; i < rows; i++) {
    std::vector<int64_t> order;
    double sum = 0;
    for (int64_t j = 0; j < columns; j++) {
      order.push_back(j);
      sum += std::exp(logits[i * stride + j]);
    }
    std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
      return logits[i * stride + a] > logits[i * stride + b];
    });
    for (int64_t j = 0; j < k; j++) {
      const double expected = logits[i * stride + order[size_t(j)]] - std::log(sum);
      report.compare("index", i * k + j, double(indices[size_t(i * k + j)]),
                     double(order[size_t(j)]), 0);
      report.compare("value", i * k + j, values[i * k + j], expected,
                     tolerance(type, arithmetic_of(type), double(columns), 9, expected));
    }
  }
}

// The best are the same bits however many are asked for.
void top_log_probs_of_more(Report& report, const Kernels& kernels, Type type) {
  constexpr int64_t columns = 3000, fewer = 20, more = 40;
  report.begin(label(kernels, "top_log_probs", type, 1, columns) + " of 20 and of 40");
  Random random(6);
  const Values logits = random.normals(type, columns);
  Values some(arithmetic_of(type), fewer), all(arithmetic_of(type), more);
  Elements<int64_t> indices(more);
  const auto run = [&](Values& values) {
    kernels.top_log_probs(
        {1, columns, values.size(), logits.data(), type, columns, values.data(), indices.data()});
  };
  run(some);
  run(all);
  for (int64_t i = 0; i < fewer; i++) report.compare("value", i, all[i], some[i], 0);
}

// Rows that have no log-probabilities: of -infinity alone, with infinity, with NaN.
void top_log_probs_without_sum(Report& report, const Kernels& kernels, Type type, int64_t k) {
  constexpr int64_t rows = 3, columns = 40;
  report.begin(label(kernels, "top_log_probs", type, rows, columns) + " of no sum, k " +
               std::to_string(k));
  constexpr double infinity = std::numeric_limits<double>::infinity();
  Values logits(type, rows * columns), values(arithmetic_of(type), rows * k);
  Elements<int64_t> indices(size_t(rows * k), -1);
  logits.fill(-infinity);
  for (int64_t j = 0; j < columns; j++) {
    logits.set(columns + j, j == 17 ? infinity : double(-j));
    logits.set(2 * columns + j, j == 17 ? std::nan("") : double(j));
  }
  kernels.top_log_probs(
      {rows, columns, k, logits.data(), type, columns, values.data(), indices.data()});
  for (int64_t i = 0; i < rows * k; i++) {
    report.compare("value", i, values[i], std::nan(""), 0);
    if (i < k) report.compare("index", i, double(indices[size_t(i)]), double(i), 0);
    report.require(indices[size_t(i)] >= 0 && indices[size_t(i)] < columns, "no such column");
  }
  report.compare("index", k, double(indices[size_t(k)]), 17, 0);
}

void all_top_log_probs(Report& report, const Kernels& kernels, Type type) {
  for (const int64_t columns : kColumns) {
    for (const int64_t k : {int64_t(1), int64_t(4), columns}) {
      if (k <= columns) top_log_probs(report, kernels, type, 5, columns, k);
    }
  }
  for (const int64_t rows : {0, 1, 33}) top_log_probs(report, kernels, type, rows, 257, 5);
  top_log_probs(report, kernels, type, 2, 4500, 12);
  const bool slow = asked_stride(PT_TEST_EVERY) > 1;  // many columns would take minutes
  // CUDA's kernels change at k of 32, and again at every 2048.
  for (const Logits kind : {Logits::few, Logits::distinct, Logits::equal, Logits::excluded}) {
    for (const int64_t k : {32, 33, 100}) {
      top_log_probs(report, kernels, type, 1, 300, k, kind);
    }
    if (slow) continue;
    top_log_probs(report, kernels, type, 1, 4500, kind == Logits::few ? 4500 : 2049, kind);
  }
  top_log_probs(report, kernels, type, 1, slow ? 2100 : 4500, 2049);
  if (!slow) {
    top_log_probs(report, kernels, type, 1, 2048, 2048);
    top_log_probs(report, kernels, type, 1, 70000, 500);  // columns of more than 16 bits
  }
  top_log_probs_of_more(report, kernels, type);
  for (const int64_t k : {6, 36}) top_log_probs_without_sum(report, kernels, type, k);
}

void run(Report& report, const Kernels& kernels, Type type) {
  all_column_sums(report, kernels, type);
  for (const Activation kind :
       {Activation::none, Activation::relu, Activation::gelu, Activation::silu}) {
    for (const int64_t columns : kColumns) activation(report, kernels, type, kind, columns);
    not_a_number_passes(report, kernels, type, kind);
  }
  all_sums_of_squares(report, kernels, type);
  all_top_log_probs(report, kernels, type);
}

}  // namespace
}  // namespace pt::test

int main() {
  using namespace pt::test;
  Report report;
  for_each_isa([&](const pt::Kernels& kernels) {
    for (const pt::Type type : kTypes) run(report, kernels, type);
  });
  return report.finish();
}
