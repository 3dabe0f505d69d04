// The attention weights and their gradients against their definition, pair by pair in float64.
#include "attention_cases.h"

namespace pt::test {
namespace {

class Call : public AttentionCall {
 public:
  // Wider than the longest sequences by `extra`.
  Call(const AttentionCase& c, Type type, int64_t extra)
      : AttentionCall(c, type, 51), max_q(longest(c.queries) + extra),
        max_k(longest(c.keys) + extra), grad_q(type, c, c.queries), grad_k(type, c, c.keys),
        weights(type, int64_t(c.queries.size()) * c.heads * max_q * max_k),
        grad_weights(random().normals(type, weights.size())) {}

  void run(const Kernels& kernels) {
    kernels.attention_weights_forward({shape(), q.view(), k.view(), weights.data(), max_q, max_k});
    kernels.attention_weights_backward({shape(), q.view(), k.view(), grad_weights.data(), max_q,
                                        max_k, grad_q.view(), grad_k.view()});
  }

  int64_t index(int64_t b, int64_t h, int64_t i, int64_t j) const {
    return ((b * attention_case().heads + h) * max_q + i) * max_k + j;
  }

  const int64_t max_q, max_k;
  Operand grad_q, grad_k;
  Values weights, grad_weights;
};

void check_weights(Report& report, const Call& call) {
  const AttentionCase& c = call.attention_case();
  std::vector<double> expected(size_t(call.weights.size()), 0.0), allowed(expected);
  call.for_each_row([&](int64_t b, int64_t h, int64_t i) {
    const Row row = call.row(b, h, i);
    for (size_t j = 0; j < row.p.size(); j++) {
      if (!row.seen[j]) continue;
      const size_t at = size_t(call.index(b, h, i, int64_t(j)));
      expected[at] = row.p[j] * row.keep[j];
      allowed[at] = tolerance(call.type(), call.type(), double(c.head_dim + longest(c.keys)),
                              (1 + row.size) * expected[at], expected[at]);
    }
  });
  for (int64_t at = 0; at < call.weights.size(); at++) {
    // Weights below the smallest normal number are 0.
    const double least = call.type() == Type::float64 ? 0 : std::ldexp(1.0, -125);
    report.compare("weights", at, call.weights[at], expected[size_t(at)],
                   expected[size_t(at)] == 0 ? 0 : least + allowed[size_t(at)]);
  }
}

void check_gradients(Report& report, const Call& call) {
  const AttentionCase& c = call.attention_case();
  std::vector<Sum> q(size_t(call.grad_q.values().size())), k(size_t(call.grad_k.values().size()));
  call.for_each_row([&](int64_t b, int64_t h, int64_t i) {
    const Row row = call.row(b, h, i);
    Sum total;
    for (size_t j = 0; j < row.p.size(); j++) {
      const double g = call.grad_weights[call.index(b, h, i, int64_t(j))];
      if (row.seen[j]) total.add(row.p[j] * row.keep[j] * g);
    }
    for (size_t key = 0; key < row.p.size(); key++) {
      if (!row.seen[key]) continue;
      const int64_t j = int64_t(key);
      const double g = row.keep[key] * call.grad_weights[call.index(b, h, i, j)];
      const double slope = row.p[key] * (g - total.value) * call.scale();
      const double size =
          row.p[key] * (std::fabs(g) + total.magnitude) * std::fabs(call.scale()) * (1 + row.size);
      for (int64_t d = 0; d < c.head_dim; d++) {
        Sum& to_q = q[size_t(call.grad_q.index(b, i, h, d))];
        Sum& to_k = k[size_t(call.grad_k.index(b, j, h, d))];
        to_q.value += slope * call.k.at(b, j, h, d);
        to_q.magnitude += size * std::fabs(call.k.at(b, j, h, d));
        to_k.value += slope * call.q.at(b, i, h, d);
        to_k.magnitude += size * std::fabs(call.q.at(b, i, h, d));
      }
    }
  });
  const auto check = [&](const char* what, const Operand& actual, const std::vector<Sum>& sums) {
    actual.check_gaps(report);
    actual.for_each([&](int64_t b, int64_t i, int64_t h, int64_t d) {
      const int64_t at = actual.index(b, i, h, d);
      const Sum& sum = sums[size_t(at)];
      report.compare(what, at, actual.values()[at], sum.value,
                     tolerance(call.type(), call.type(), call.length(), sum.magnitude, sum.value));
    });
  };
  check("grad_q", call.grad_q, q);
  check("grad_k", call.grad_k, k);
}

#ifdef PT_TEST_CUDA
// What comes out of them means nothing, but nothing around the operands changes.
void strays_do_no_harm(Report& report, const Kernels& kernels, Type type) {
  for (const AttentionCase& c : attention_strays()) {
    report.begin(std::string(kernels.isa) + " " + name_of(type) + " " + c.name());
    Call call(c, type, 0);
    call.run(kernels);
    call.grad_q.check_gaps(report);
    call.grad_k.check_gaps(report);
  }
}
#endif

}  // namespace
}  // namespace pt::test

int main() {
  using namespace pt::test;
  Report report;
  for_each_isa([&](const pt::Kernels& kernels) {
    for (const pt::Type type : kTypes) {
#ifdef PT_TEST_CUDA
      strays_do_no_harm(report, kernels, type);
#endif
      for (const AttentionCase& c : attention_cases()) {
        for (const int64_t extra : {0, 3}) {
          report.begin(std::string(kernels.isa) + " " + name_of(type) + " " + c.name() +
                       (extra > 0 ? " padded" : ""));
          Call call(c, type, extra);
          call.run(kernels);
          check_weights(report, call);
          check_gradients(report, call);
        }
      }
    }
  });
  return report.finish();
}
