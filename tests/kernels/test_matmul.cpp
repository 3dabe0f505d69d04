// The matrix product and its epilogue against three loops in float64.
#ifdef PT_CUDA_ON_HOST
#include <cuda_on_host/threads.h>
#endif
#include <omp.h>

#include <tuple>
#include <utility>

#include "check.h"
#include "philox.h"
#include "values.h"

namespace pt::test {
namespace {

enum class Layout { rows, columns, sparse };  // unit column stride, unit row stride, neither

const char* layout_name(Layout layout) {
  return layout == Layout::rows ? "rows" : layout == Layout::columns ? "columns" : "sparse";
}

struct Strides {
  int64_t row, col;
};

Strides strides_of(Layout layout, int64_t rows, int64_t cols) {
  switch (layout) {
    case Layout::rows:
      return {spaced(cols, 3), 1};
    case Layout::columns:
      return {1, spaced(rows, 2)};
    default:
      return {2 * cols + 1, 2};
  }
}

// A matrix; what lies between its elements is NaN.
struct Operand {
  Strides strides;
  Values values;
  bool rounds = false;
  Type rounds_to = Type::bfloat16;  // the type of what it meets

  Operand(Random& random, Type type, int64_t rows, int64_t cols, Layout layout)
      : strides(strides_of(layout, rows, cols)), values(type, extent(rows, cols)) {
    for (int64_t i = 0; i < rows; i++) {
      for (int64_t j = 0; j < cols; j++) values.set(offset(i, j), random.normal());
    }
  }
  int64_t offset(int64_t i, int64_t j) const { return i * strides.row + j * strides.col; }
  int64_t extent(int64_t rows, int64_t cols) const {
    return rows == 0 || cols == 0 ? 0 : offset(rows - 1, cols - 1) + 1;
  }
  double at(int64_t i, int64_t j) const {
    const double x = values[offset(i, j)];
    return rounds ? rounded(x, rounds_to) : x;
  }
  Matrix view() const {
    Matrix m = matrix(values, strides.row, strides.col);
    m.round_to_bfloat16 = rounds;
    return m;
  }
};

struct Case {
  int64_t m, n, k;
  Type a = Type::float32, b = Type::float32, out = Type::float32;
  Layout a_layout = Layout::rows, b_layout = Layout::rows;
  bool rounds = false, accumulate = false, bias = false, keeps_preactivation = false,
       backward = false;
  Activation activation = Activation::none;
  double dropout = 0.0;

  std::string name() const {
    std::string s = std::to_string(m) + "x" + std::to_string(n) + "x" + std::to_string(k);
    s += std::string(" a ") + name_of(a) + " " + layout_name(a_layout);
    s += std::string(" b ") + name_of(b) + " " + layout_name(b_layout);
    s += std::string(rounds ? " rounded" : "") + " out " + name_of(out);
    s += std::string(accumulate ? " accumulate" : "") + (bias ? " bias" : "");
    s += std::string(keeps_preactivation ? " preactivation" : "") + (backward ? " backward" : "");
    s += std::string(" ") + name_of(activation);
    return s + (dropout > 0 ? " dropout" : "");
  }
};

double sigmoid(double x) { return 1.0 / (1.0 + std::exp(-x)); }
double normal_cdf(double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); }

double activated(Activation activation, double x) {
  switch (activation) {
    case Activation::relu:
      return x > 0 ? x : 0;
    case Activation::gelu:
      return x * normal_cdf(x);
    case Activation::silu:
      return x * sigmoid(x);
    default:
      return x;
  }
}

double slope(Activation activation, double x) {
  switch (activation) {
    case Activation::relu:
      return x > 0 ? 1 : 0;
    case Activation::gelu:
      return normal_cdf(x) + x * std::exp(-x * x / 2) / std::sqrt(2 * std::acos(-1.0));
    case Activation::silu:
      return sigmoid(x) * (1 + x * (1 - sigmoid(x)));
    default:
      return 1;
  }
}

// One call with everything it reads and writes.
class Call {
 public:
  Call(const Case& c, uint64_t seed) : Call(c, Random(seed)) {}

  void run(const Kernels& kernels) { kernels.matmul(args()); }

  // The same product for some of the rows alone.
  void run_rows(const Kernels& kernels, int64_t first, int64_t count) {
    MatmulArgs rows = args();
    const int64_t to = first * stride_ * bytes_of(c_.out);
    rows.m = count;
    rows.a.data = static_cast<const char*>(rows.a.data) + first * a_.strides.row * bytes_of(c_.a);
    rows.out = static_cast<char*>(rows.out) + to;
    kernels.matmul(rows);
  }

  void check(Report& report) const {
    for (int64_t i = 0; i < c_.m; i++) {
      for (int64_t j = 0; j < c_.n; j++) check_element(report, i, j);
    }
    // The gaps between rows are not ours.
    for (int64_t i = 0; i < out_.size(); i++) {
      if (i % stride_ >= c_.n) report.compare("gap", i, out_[i], 7.0, 0.0);
    }
  }

  const Values& out() const { return out_; }

 private:
  Call(const Case& c, Random random)
      : c_(c), stride_(spaced(c.n, 5)), size_(c.m == 0 || c.n == 0 ? 0 : (c.m - 1) * stride_ + c.n),
        a_(random, c.a, c.m, c.k, c.a_layout), b_(random, c.b, c.k, c.n, c.b_layout),
        bias_(random.normals(c.a == Type::float64 ? c.a
                             : c.rounds           ? Type::float32
                                                  : c.a,
                             c.n)),
        saved_(random.normals(c.out, size_)), before_(random.normals(c.out, size_)),
        out_(c.out, size_), preactivation_(c.out, size_),
        dropout_(dropout_of(c.dropout, 0xfedcba9876543210)) {
    b_.rounds = c.rounds;
    if (is_half(c.a)) b_.rounds_to = c.a;
    if (c.activation == Activation::relu) drop_saved();
    out_.fill(7.0);
    if (!c.accumulate) return;
    for (int64_t i = 0; i < size_; i++) {
      if (i % stride_ < c.n) out_.set(i, before_[i]);
    }
  }

  // As the forward pass leaves it behind relu.
  void drop_saved() {
    for (int64_t i = 0; i < c_.m; i++) {
      for (int64_t j = 0; j < c_.n; j++) {
        const int64_t at = i * stride_ + j;
        saved_.set(at, saved_[at] * multiplier(dropout_, j, i));
      }
    }
  }

  MatmulArgs args() {
    MatmulArgs args{};
    args.m = c_.m;
    args.n = c_.n;
    args.k = c_.k;
    args.a = a_.view();
    args.b = b_.view();
    args.out = out_.data();
    args.out_type = c_.out;
    args.out_stride = stride_;
    args.accumulate = c_.accumulate;
    args.epilogue.activation = c_.activation;
    args.epilogue.dropout = dropout_;
    if (c_.bias) args.epilogue.bias = {bias_.data(), bias_.type()};
    if (c_.keeps_preactivation) args.epilogue.preactivation = preactivation_.data();
    if (c_.backward) args.epilogue.saved = saved_.data();
    return args;
  }

  void check_element(Report& report, int64_t i, int64_t j) const {
    const int64_t at = i * stride_ + j;
    Sum sum;
    if (c_.accumulate) sum.add(before_[at]);
    for (int64_t k = 0; k < c_.k; k++) sum.add(a_.at(i, k) * b_.at(k, j));
    if (c_.bias) sum.add(bias_[j]);
    const double length = double(c_.k) + 2;
    if (c_.keeps_preactivation) {
      report.compare("preactivation", at, preactivation_[at], sum.value,
                     tolerance(c_.a, c_.out, length, sum.magnitude, sum.value));
    }
    const double keep = multiplier(dropout_, j, i);
    // Slopes are at most 1.13; the functions' own errors are relative to 1 + |x|.
    const double x = c_.backward ? saved_[at] : sum.value;
    const double factor = c_.backward ? slope(c_.activation, x) : 0;
    const double y = keep * (c_.backward ? sum.value * factor : activated(c_.activation, x));
    const double magnitude = keep * (1.13 * sum.magnitude + std::fabs(sum.value)) *
                             (c_.activation == Activation::none ? 1 : 1 + std::fabs(x));
    report.compare("out", at, out_[at], y, tolerance(c_.a, c_.out, length, magnitude, y));
  }

  const Case c_;
  const int64_t stride_, size_;
  Operand a_, b_;
  Values bias_, saved_, before_, out_, preactivation_;
  const Dropout dropout_;
};

constexpr Layout kLayouts[] = {Layout::rows, Layout::columns, Layout::sparse};

std::vector<Case> sizes(Type type) {
  std::vector<Case> cases;
  const std::tuple<int64_t, int64_t, int64_t> shapes[] = {
      {0, 5, 5},    {5, 0, 5},   {5, 5, 0},    {1, 1, 1},    {1, 33, 257},  {13, 16, 8},
      {14, 32, 16}, {15, 31, 7}, {31, 17, 33}, {32, 15, 32}, {33, 1, 31},   {6, 256, 15},
      {7, 257, 14}, {85, 33, 9}, {113, 20, 5}, {3, 8, 513},  {113, 9, 515}, {60, 255, 17},
  };
  for (const auto& [m, n, k] : shapes) cases.push_back({m, n, k, type, type, type});
  return cases;
}

// Few rows go one way through the kernel, many another.
std::vector<Case> layouts(Type type) {
  std::vector<Case> cases;
  for (const int64_t m : {5, 97}) {
    for (const Layout a : kLayouts) {
      for (const Layout b : kLayouts) {
        cases.push_back({m, 37, 19, type, type, type, a, b});
      }
    }
  }
  return cases;
}

std::vector<Case> mixed_types(Type narrow) {
  std::vector<Case> cases;
  const Type wide = Type::float32;
  for (const int64_t m : {5, 97}) {
    for (const Layout b : kLayouts) {
      Case c{m, 35, 18, narrow, wide, narrow, Layout::rows, b};
      cases.push_back(c);
      c.rounds = c.bias = true;
      cases.push_back(c);
    }
    cases.push_back({m, 35, 18, narrow, narrow, wide, Layout::columns, Layout::rows});
    cases.push_back({m, 35, 18, wide, narrow, wide, Layout::columns, Layout::rows});
    cases.push_back({m, 35, 18, wide, narrow, narrow});
  }
  return cases;
}

std::vector<Case> epilogues(Type type) {
  std::vector<Case> cases;
  for (const int64_t m : {1, 15, 97}) {
    for (const Activation activation :
         {Activation::none, Activation::relu, Activation::gelu, Activation::silu}) {
      for (const double dropout : {0.0, 0.3}) {
        Case c{m, 37, 21, type, type, type};
        c.activation = activation;
        c.dropout = dropout;
        c.bias = c.keeps_preactivation = true;
        cases.push_back(c);
        c.bias = c.keeps_preactivation = false;
        c.backward = activation != Activation::none;
        cases.push_back(c);
      }
    }
    Case c{m, 261, 600, type, type, arithmetic_of(type)};
    c.accumulate = true;
    cases.push_back(c);
    c = {m, 9, 0, type, type, type};
    c.bias = true;
    cases.push_back(c);
  }
  return cases;
}

#ifdef PT_TEST_CUDA
// Small, middle and large tiles, with operands that are copied as they are, and more tiles over k
// than there are places for them.
std::vector<Case> tiles() {
  std::vector<Case> cases;
  for (const auto& [m, n] : {std::pair<int64_t, int64_t>{72, 56}, {120, 128}, {248, 504}}) {
    for (const Type type : {Type::bfloat16, Type::float16}) {
      for (const Layout a : {Layout::rows, Layout::columns}) {
        for (const Layout b : {Layout::rows, Layout::columns}) {
          cases.push_back({m, n, type == Type::bfloat16 ? 232 : 40, type, type, type, a, b});
        }
      }
    }
    Case c{m, n, 24};
    c.bias = true;
    cases.push_back(c);
  }
  return cases;
}

// Sums that are cut into parts.
std::vector<Case> long_sums() {
  std::vector<Case> cases;
  for (const Type type : kTypes) {
    Case c{17, 24, 8195, type, type, type, Layout::columns, Layout::rows};
    c.bias = true;
    cases.push_back(c);
    c.bias = false;
    c.out = arithmetic_of(type);
    c.accumulate = true;
    c.n = 9;
    cases.push_back(c);
  }
  return cases;
}

#endif

#ifdef PT_CUDA_ON_HOST
// What tiles cost, without a GPU: shared memory is read without bank conflicts, every tile of an
// operand is copied once for each tile of results, and nothing is multiplied twice.
void tiles_cost_what_they_should(Report& report, const Kernels& kernels, Type type) {
  constexpr int64_t kRows = 128, kCols = 256;  // of a large tile
  for (const auto& [a, b] : {std::pair{Layout::rows, Layout::columns},
                             {Layout::rows, Layout::rows},
                             {Layout::columns, Layout::rows}}) {
    const Case c{2 * kRows, 2 * kCols, 160, type, type, type, a, b};
    report.begin(std::string(kernels.isa) + " cost, " + c.name());
    Call call(c, 3);
    on_host::reset_counters();
    call.run(kernels);
    const on_host::Counters counted = on_host::counters();
    report.compare("bank conflicts", 0, double(counted.matrix_conflicts), 0, 0);
    const int64_t copied = c.m / kRows * (c.n / kCols) * (kRows + kCols) * c.k * bytes_of(type);
    report.compare("bytes", 0, double(counted.bytes_copied), double(copied), 0);
    report.compare("products", 0, double(counted.products),
                   double(c.m / 16 * (c.n / 8) * (c.k / 16)), 0);
  }
}
#endif

// Neither the threads nor the other rows change a bit.
void determinism(Report& report, const Kernels& kernels) {
  const int before = omp_get_max_threads();
  for (const Type type : kTypes) {
    for (const Layout layout : kLayouts) {
      const Case c{190, 70, 530, type, type, type, layout, Layout::columns};
      report.begin(std::string(kernels.isa) + " threads and rows, " + c.name());
      omp_set_num_threads(1);
      Call one(c, 5);
      one.run(kernels);
      for (const int threads : {2, 3, 8}) {
        omp_set_num_threads(threads);
        Call other(c, 5);
        other.run(kernels);
        report.require(other.out().same_bits(one.out()), std::to_string(threads) + " threads");
      }
      Call pieces(c, 5);
      for (const auto& [first, count] : {std::pair<int64_t, int64_t>{0, 1}, {1, 14}, {15, 175}}) {
        pieces.run_rows(kernels, first, count);
      }
      report.require(pieces.out().same_bits(one.out()), "row by row");
    }
  }
  omp_set_num_threads(before);
}

void run(Report& report, const Kernels& kernels, const std::vector<Case>& cases) {
  for (const Case& c : some_of(cases, PT_TEST_EVERY)) {
    report.begin(std::string(kernels.isa) + " " + c.name());
    Call call(c, 3);
    call.run(kernels);
    call.check(report);
  }
}

}  // namespace
}  // namespace pt::test

int main() {
  using namespace pt::test;
  Report report;
  for_each_isa([&](const pt::Kernels& kernels) {
    for (const pt::Type type : kTypes) {
      run(report, kernels, sizes(type));
      run(report, kernels, layouts(type));
      run(report, kernels, epilogues(type));
    }
    for (const pt::Type type : kTypes) {
      if (is_half(type)) run(report, kernels, mixed_types(type));
    }
    determinism(report, kernels);
#ifdef PT_TEST_CUDA
    run(report, kernels, tiles());
    run(report, kernels, long_sums());
#endif
#ifdef PT_CUDA_ON_HOST
    for (const pt::Type type : {pt::Type::bfloat16, pt::Type::float16}) {
      if (placement().alignment == Alignment::all)
        tiles_cost_what_they_should(report, kernels, type);
    }
#endif
  });
  return report.finish();
}
