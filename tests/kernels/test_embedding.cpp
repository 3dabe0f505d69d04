// The embedding and its gradients against plain loops in float64.
#include <utility>
#include <vector>

#include "calls.h"
#include "philox.h"
#include "values.h"

namespace pt::test {
namespace {

struct Case {
  std::vector<int64_t> lengths;
  int64_t columns;
  Type weight, out;
  bool positions = true, dense = false;
  double dropout = 0.0;
  int64_t padding = -1, vocabulary = 70;
  bool strays = false;  // some tokens do not exist

  std::string name() const {
    std::string s;
    for (const int64_t length : lengths) s += std::to_string(length) + " ";
    return s + "by " + std::to_string(columns) + " weight " + name_of(weight) + " out " +
           name_of(out) + (positions ? "" : " no positions") + (dense ? " dense" : "") +
           (dropout > 0 ? " dropout" : "") + (padding >= 0 ? " padding" : "") +
           (strays ? " strays" : "");
  }
  int64_t rows() const {
    int64_t sum = 0;
    for (const int64_t length : lengths) sum += length;
    return sum;
  }
};

class Call {
 public:
  explicit Call(const Case& c) : Call(c, Random(21)) {}

  void run(const Kernels& kernels) {
    EmbeddingForwardArgs args{};
    args.rows = c_.rows();
    args.columns = c_.columns;
    args.batch = int64_t(c_.lengths.size());
    args.vocabulary = c_.vocabulary;
    args.table_rows = kTableRows;
    args.tokens = tokens_.data();
    args.weight = weight_.data();
    args.weight_type = c_.weight;
    args.cu_seqlens = c_.dense ? nullptr : starts_.data();
    args.length = c_.dense ? c_.lengths[0] : 0;
    if (c_.positions) args.positions = positions_.data();
    args.positions_type = positions_.type();
    args.scale = kScale;
    args.dropout = dropout_;
    args.out = out_.data();
    args.out_type = c_.out;
    kernels.embedding_forward(args);
  }

  void run_backward(const Kernels& kernels) {
    EmbeddingBackwardArgs args{};
    args.rows = c_.rows();
    args.columns = c_.columns;
    args.batch = int64_t(c_.lengths.size());
    args.vocabulary = c_.vocabulary;
    args.table_rows = kTableRows;
    args.tokens = tokens_.data();
    args.cu_seqlens = c_.dense ? nullptr : starts_.data();
    args.length = c_.dense ? c_.lengths[0] : 0;
    args.grad = grad_.data();
    args.grad_type = c_.out;
    args.grad_stride = spaced(c_.columns, 2);
    args.scale = kScale;
    args.dropout = dropout_;
    args.padding_token = c_.padding;
    args.grad_weight = grad_weight_.data();
    args.weight_type = c_.weight;
    args.grad_positions = grad_positions_.data();
    args.positions_type = positions_.type();
    kernels.embedding_backward(args);
  }

  void check(Report& report) const {
    for (int64_t row = 0; row < c_.rows(); row++) {
      for (int64_t j = 0; j < c_.columns; j++) {
        const double keep = multiplier(dropout_, j, row);
        if (!exists(row)) {
          report.compare("out", row * c_.columns + j, out_[row * c_.columns + j], std::nan(""), 0);
          continue;
        }
        Sum sum;
        sum.add(keep * kScale * weight_[tokens_[size_t(row)] * c_.columns + j]);
        if (c_.positions) sum.add(keep * positions_[position_[size_t(row)] * c_.columns + j]);
        report.compare("out", row * c_.columns + j, out_[row * c_.columns + j], sum.value,
                       tolerance(c_.out, c_.out, 2, sum.magnitude, sum.value));
      }
    }
  }

  void check_backward(Report& report) const {
    for (int64_t token = 0; token < c_.vocabulary; token++) {
      const auto wanted = [&](int64_t row) {
        return tokens_[size_t(row)] == token && token != c_.padding;
      };
      check_sums(report, "grad_weight", grad_weight_, token, kScale, wanted);
    }
    for (int64_t position = 0; position < kTableRows; position++) {
      const auto wanted = [&](int64_t row) { return position_[size_t(row)] == position; };
      check_sums(report, "grad_positions", grad_positions_, position, 1.0, wanted);
    }
  }

  std::vector<const Values*> results() const { return {&out_, &grad_weight_, &grad_positions_}; }

 private:
  static constexpr double kScale = 5.656854249492381;
  static constexpr int64_t kTableRows = 310;

  Call(const Case& c, Random random)
      : c_(c), weight_(random.normals(c.weight, c.vocabulary * c.columns)),
        positions_(random.normals(arithmetic_of(c.out), kTableRows * c.columns)),
        grad_(random.normals(
            c.out, c.rows() == 0 ? 0 : (c.rows() - 1) * spaced(c.columns, 2) + c.columns)),
        out_(c.out, c.rows() * c.columns), grad_weight_(c.weight, c.vocabulary * c.columns),
        grad_positions_(positions_.type(), kTableRows * c.columns),
        dropout_(dropout_of(c.dropout, 0xabcdef)) {
    starts_.push_back(0);
    for (const int64_t length : c.lengths) {
      starts_.push_back(int32_t(starts_.back() + length));
      for (int64_t i = 0; i < length; i++) {
        position_.push_back(i);
        const int64_t stray = i % 2 == 0 ? -1 - i : c.vocabulary + i / 5;
        const bool is_stray = c.strays && i % 5 == 1;
        tokens_.push_back(is_stray ? stray : i % 4 == 0 ? 3 : random.below(c.vocabulary));
      }
    }
    starts_.shrink_to_fit();
    tokens_.shrink_to_fit();
  }

  bool exists(int64_t row) const {
    const int64_t token = tokens_[size_t(row)];
    return token >= 0 && token < c_.vocabulary &&
           (!c_.positions || position_[size_t(row)] < kTableRows);
  }

  // Row `index` of a gradient: the sum over the rows that are wanted.
  template <class Wanted>
  void check_sums(Report& report, const char* what, const Values& actual, int64_t index,
                  double scale, const Wanted& wanted) const {
    for (int64_t j = 0; j < c_.columns; j++) {
      Sum sum;
      int64_t count = 0;
      for (int64_t row = 0; row < c_.rows(); row++) {
        if (!wanted(row)) continue;
        sum.add(scale * multiplier(dropout_, j, row) * grad_[row * spaced(c_.columns, 2) + j]);
        count++;
      }
      const int64_t at = index * c_.columns + j;
      report.compare(what, at, actual[at], sum.value,
                     tolerance(c_.out, actual.type(), double(count), sum.magnitude, sum.value));
    }
  }

  const Case c_;
  Values weight_, positions_, grad_, out_, grad_weight_, grad_positions_;
  Elements<int32_t> starts_;
  Elements<int64_t> tokens_;
  std::vector<int64_t> position_;
  const Dropout dropout_;
};

std::vector<Case> cases(Type weight, Type out) {
  std::vector<Case> all;
  for (const int64_t columns : {1, 4, 13, 14, 15, 16, 31, 32, 33}) {
    all.push_back({{3, 0, 1, 5}, columns, weight, out});
  }
  const std::vector<std::vector<int64_t>> batches = {{}, {0}, {1}, {0, 0, 2}, {300}, {40, 33, 1}};
  for (const std::vector<int64_t>& lengths : batches) all.push_back({lengths, 5, weight, out});
  Case c{{4, 4, 4}, 19, weight, out, true, true};
  all.push_back(c);
  c.dropout = 0.3;
  all.push_back(c);
  c.padding = 3;
  c.positions = false;
  all.push_back(c);
  c = {{9, 30}, 18, weight, out, true, false, 0.5, 69};
  all.push_back(c);
  c.vocabulary = 64;  // one whole group of tokens
  c.padding = 0;
  all.push_back(c);
#ifdef PT_TEST_CUDA
  // On the CPU whoever calls has checked them. More columns than a warp takes at once.
  all.push_back({{20, 315}, 5, weight, out, true, false, 0.0, -1, 70, true});
  all.push_back({{20, 33}, 280, weight, out, true, false, 0.1, 2, 70, true});
#endif
  return all;
}

void determinism(Report& report, const Kernels& kernels, Type type) {
  const Case c{{100, 150, 7}, 37, type, type, true, false, 0.1};
  check_threads<Call>(report, kernels, c);
}

}  // namespace
}  // namespace pt::test

int main() {
  using namespace pt::test;
  using pt::Type;
  constexpr std::pair<Type, Type> kPairs[] = {
      {Type::float32, Type::float32},   {Type::float32, Type::bfloat16},
      {Type::bfloat16, Type::bfloat16},
#ifdef PT_TEST_CUDA
      {Type::float32, Type::float16},   {Type::float16, Type::float16},
#endif
      {Type::float64, Type::float64}};
  Report report;
  for_each_isa([&](const pt::Kernels& kernels) {
    for (const auto& [weight, out] : kPairs) {
      for (const Case& c : some_of(cases(weight, out))) check_case<Call>(report, kernels, c);
    }
    for (const Type type : kTypes) determinism(report, kernels, type);
  });
  return report.finish();
}
