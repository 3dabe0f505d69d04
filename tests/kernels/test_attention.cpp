// Attention and its gradients against their definition, pair by pair in float64.
#ifdef PT_CUDA_ON_HOST
#include <cuda_on_host/threads.h>
#endif

#include "attention_cases.h"

namespace pt::test {
namespace {

class Call : public AttentionCall {
 public:
  Call(const AttentionCase& c, Type type, uint64_t seed = 41)
      : AttentionCall(c, type, seed), out(type, c, c.queries), grad_out(type, c, c.queries),
        grad_q(type, c, c.queries), grad_k(type, c, c.keys), grad_v(type, c, c.keys),
        statistics(arithmetic_of(type), 2 * c.heads * q.rows()) {
    grad_out.randomise(random());
  }

  void run(const Kernels& kernels) {
    pairs = is_half(type()) && multiplies_pairs(kernels);
    kernels.attention_forward(
        {shape(), q.view(), k.view(), v.view(), out.view(), statistics.data()});
  }

  // With out and statistics as the last forward left them.
  void run_backward(const Kernels& kernels) {
    kernels.attention_backward({shape(), q.view(), k.view(), v.view(), out.view(), grad_out.view(),
                                statistics.data(), grad_q.view(), grad_k.view(), grad_v.view()});
  }

  int64_t statistic(int64_t b, int64_t h, int64_t i) const {
    int64_t row = i;
    for (int64_t before = 0; before < b; before++) {
      row += attention_case().queries[size_t(before)];
    }
    return h * q.rows() + row;
  }

  Operand out, grad_out, grad_q, grad_k, grad_v;
  Values statistics;
  bool pairs = false;

  // Of a sum whose terms are weights or derivatives of scores, rounded where they meet in pairs.
  double allowed(double magnitude, double value) const {
    return tolerance(type(), type(), length(), magnitude, value) +
           (pairs ? rounded_terms(type(), magnitude) : 0.0);
  }
};

// Compares, then leaves the exact result in out and statistics for backward.
void check_forward(Report& report, Call& call) {
  const AttentionCase& c = call.attention_case();
  const Type type = call.type(), own = arithmetic_of(type);
  call.out.check_gaps(report);
  call.for_each_row([&](int64_t b, int64_t h, int64_t i) {
    const Row row = call.row(b, h, i);
    const int64_t at = call.statistic(b, h, i);
    const int64_t sum_at = at + c.heads * call.q.rows();
    const double allowed = tolerance(type, own, call.length(), 2 + 2 * row.size, 0);
    // Beside a NaN, which is the largest is nobody's business; the sum has to tell.
    if (!std::isnan(row.inverse_sum)) {
      report.compare("largest score", at, call.statistics[at], row.largest, allowed / call.unit());
    }
    report.compare("inverse sum", sum_at, call.statistics[sum_at], row.inverse_sum, allowed);
    call.statistics.set(at, row.largest);
    call.statistics.set(sum_at, row.inverse_sum);
    for (int64_t d = 0; d < c.head_dim; d++) {
      Sum sum;
      for (size_t j = 0; j < row.p.size(); j++) {
        if (row.seen[j]) sum.add(row.p[j] * row.keep[j] * call.v.at(b, int64_t(j), h, d));
      }
      const int64_t index = call.out.index(b, i, h, d);
      report.compare("out", index, call.out.at(b, i, h, d), sum.value,
                     call.allowed((1 + row.size) * sum.magnitude, sum.value));
      call.out.set(b, i, h, d, sum.value);
    }
    if (row.fully_masked && c.poison == Poison::hidden)
      call.grad_out.set_row(b, i, h, std::nan(""));
  });
}

struct Gradients {
  explicit Gradients(const Call& call)
      : q(size_t(call.grad_q.values().size())), k(size_t(call.grad_k.values().size())),
        v(size_t(call.grad_v.values().size())) {}
  std::vector<Sum> q, k, v;
};

void add(Sum& to, double value, double magnitude) {
  to.value += value;
  to.magnitude += magnitude;
}

// What one query adds to the gradients: with P the weights and G the gradient of its output,
// dS = P (keep G v - G out).
void add_row(const Call& call, int64_t b, int64_t h, int64_t i, Gradients& gradients) {
  const AttentionCase& c = call.attention_case();
  const Row row = call.row(b, h, i);
  Sum delta;
  for (int64_t d = 0; d < c.head_dim; d++) {
    delta.add(call.grad_out.at(b, i, h, d) * call.out.at(b, i, h, d));
  }
  for (size_t key = 0; key < row.p.size(); key++) {
    if (!row.seen[key]) continue;
    const int64_t j = int64_t(key);
    const double p = row.p[key], keep = row.keep[key];
    Sum slope;
    for (int64_t d = 0; d < c.head_dim; d++) {
      slope.add(p * keep * call.grad_out.at(b, i, h, d) * call.v.at(b, j, h, d));
    }
    const double slope_value = (slope.value - p * delta.value) * call.scale();
    const double slope_size =
        (slope.magnitude + p * delta.magnitude) * std::fabs(call.scale()) * (1 + row.size);
    for (int64_t d = 0; d < c.head_dim; d++) {
      const double q = call.q.at(b, i, h, d), k = call.k.at(b, j, h, d);
      const double g = p * keep * call.grad_out.at(b, i, h, d);
      add(gradients.q[size_t(call.grad_q.index(b, i, h, d))], slope_value * k,
          slope_size * std::fabs(k));
      add(gradients.k[size_t(call.grad_k.index(b, j, h, d))], slope_value * q,
          slope_size * std::fabs(q));
      add(gradients.v[size_t(call.grad_v.index(b, j, h, d))], g, std::fabs(g) * (1 + row.size));
    }
  }
}

void check_gradient(Report& report, const char* what, const Call& call, const Operand& actual,
                    const std::vector<Sum>& expected) {
  actual.check_gaps(report);
  actual.for_each([&](int64_t b, int64_t i, int64_t h, int64_t d) {
    const int64_t at = actual.index(b, i, h, d);
    const Sum& sum = expected[size_t(at)];
    report.compare(what, at, actual.values()[at], sum.value,
                   call.allowed(sum.magnitude, sum.value));
  });
}

void check_backward(Report& report, const Call& call) {
  Gradients gradients(call);
  call.for_each_row([&](int64_t b, int64_t h, int64_t i) { add_row(call, b, h, i, gradients); });
  check_gradient(report, "grad_q", call, call.grad_q, gradients.q);
  check_gradient(report, "grad_k", call, call.grad_k, gradients.k);
  check_gradient(report, "grad_v", call, call.grad_v, gradients.v);
}

// The first query's score overflows, so its row is NaN; the keys that it does not see know nothing
// of that, nor do the other queries.
void overflow_stays_where_it_is_seen(Report& report, const Kernels& kernels) {
  AttentionCase c;
  c.queries = c.keys = {20};
  c.heads = 1;
  c.head_dim = 8;
  c.causal = true;
  report.begin(std::string(kernels.isa) + " overflow, " + c.name());
  Call call(c, Type::float32);
  call.q.set_row(0, 0, 0, 1e25);
  call.k.set_row(0, 0, 0, 1e25);
  for (int64_t i = 1; i < 20; i++) call.q.set_row(0, i, 0, 0.0);
  call.run(kernels);
  call.run_backward(kernels);
  report.require(std::isnan(call.out.at(0, 0, 0, 0)), "the query that overflows is not NaN");
  for (int64_t i = 1; i < 20; i++) {
    for (int64_t d = 0; d < c.head_dim; d++) {
      report.require(std::isfinite(call.out.at(0, i, 0, d)), "out of another query");
      report.require(std::isfinite(call.grad_k.at(0, i, 0, d)), "grad_k of a key it does not see");
      report.require(std::isfinite(call.grad_v.at(0, i, 0, d)), "grad_v of a key it does not see");
    }
  }
}

// Neither the threads nor the other sequences change a bit.
void determinism(Report& report, const Kernels& kernels, Type type, bool causal) {
  AttentionCase c;
  c.queries = c.keys = {200, 7, 0, 33};
  c.head_dim = 20;
  c.causal = causal;
  report.begin(std::string(kernels.isa) + " " + name_of(type) + " threads and batch, " + c.name());
  Call one(c, type), three(c, type);
  const auto run = [&](Call& call) {
    call.run(kernels);
    call.run_backward(kernels);
  };
  on_threads(1, [&] { run(one); });
  on_threads(3, [&] { run(three); });
  const auto same = [&](const Operand& a, const Operand& b) {
    return a.values().same_bits(b.values());
  };
  report.require(same(one.out, three.out) && one.statistics.same_bits(three.statistics), "forward");
  report.require(same(one.grad_q, three.grad_q) && same(one.grad_k, three.grad_k) &&
                     same(one.grad_v, three.grad_v),
                 "backward");

  AttentionCase single = c;
  single.queries = single.keys = {33};
  Call alone(single, type);
  const auto copy = [&](Operand& to, const Operand& from) {
    to.for_each(
        [&](int64_t, int64_t i, int64_t h, int64_t d) { to.set(0, i, h, d, from.at(3, i, h, d)); });
  };
  copy(alone.q, one.q);
  copy(alone.k, one.k);
  copy(alone.v, one.v);
  copy(alone.grad_out, one.grad_out);
  run(alone);
  const auto agree = [&](const char* what, const Operand& a, const Operand& whole) {
    a.for_each([&](int64_t, int64_t i, int64_t h, int64_t d) {
      report.compare(what, a.index(0, i, h, d), a.at(0, i, h, d), whole.at(3, i, h, d), 0);
    });
  };
  agree("out alone", alone.out, one.out);
  agree("grad_q alone", alone.grad_q, one.grad_q);
  agree("grad_k alone", alone.grad_k, one.grad_k);
  agree("grad_v alone", alone.grad_v, one.grad_v);
}

#ifdef PT_TEST_CUDA
// What comes out of them means nothing, but nothing around the operands changes.
void strays_do_no_harm(Report& report, const Kernels& kernels, Type type) {
  for (const AttentionCase& c : attention_strays()) {
    report.begin(std::string(kernels.isa) + " " + name_of(type) + " " + c.name());
    Call call(c, type);
    call.run(kernels);
    call.run_backward(kernels);
    for (const Operand* written : {&call.out, &call.grad_q, &call.grad_k, &call.grad_v}) {
      written->check_gaps(report);
    }
  }
}
#endif

#ifdef PT_CUDA_ON_HOST
// What tiles cost, without a GPU: shared memory is read without bank conflicts, and each operand is
// copied as often as its tiles are walked over, no more.
void tiles_cost_what_they_should(Report& report, const Kernels& kernels, Type type) {
  constexpr int64_t kQueries = 128, kKeys = 192, kRow = 64 * 2, kTile = 64;  // rows; bytes of one
  AttentionCase c;
  c.queries = {kQueries};
  c.keys = {kKeys};
  c.head_dim = 64;
  report.begin(std::string(kernels.isa) + " " + name_of(type) + " cost, " + c.name());
  Call call(c, type);
  const auto copied = [&](int64_t rows) {
    const on_host::Counters counted = on_host::counters();
    report.compare("bank conflicts", 0, double(counted.matrix_conflicts), 0, 0);
    report.compare("bytes", 0, double(counted.bytes_copied), double(c.heads * rows * kRow), 0);
    report.require(counted.products > 0, "no matrix products");
    on_host::reset_counters();
  };
  on_host::reset_counters();
  call.run(kernels);
  // One block owns the queries and walks over keys and values.
  copied(kQueries + 2 * kKeys);
  call.run_backward(kernels);
  // Blocks of keys walk over queries and gradients, blocks of queries over keys and values.
  copied(2 * kKeys + kKeys / kTile * 2 * kQueries + 2 * kQueries + kQueries / kTile * 2 * kKeys);
}
#endif

}  // namespace
}  // namespace pt::test

int main() {
  using namespace pt::test;
  Report report;
  for_each_isa([&](const pt::Kernels& kernels) {
#ifdef PT_TEST_CUDA
    for (const pt::Type type : kTypes) strays_do_no_harm(report, kernels, type);
#endif
    for (const pt::Type type : kTypes) {
      for (const AttentionCase& c : attention_cases()) {
        report.begin(std::string(kernels.isa) + " " + name_of(type) + " " + c.name());
        Call call(c, type);
        call.run(kernels);
        check_forward(report, call);
        call.run_backward(kernels);
        check_backward(report, call);
      }
      for (const bool causal : {false, true}) determinism(report, kernels, type, causal);
    }
    overflow_stays_where_it_is_seen(report, kernels);
#ifdef PT_CUDA_ON_HOST
    for (const pt::Type type : {pt::Type::bfloat16, pt::Type::float16}) {
      if (placement().alignment == Alignment::all)
        tiles_cost_what_they_should(report, kernels, type);
    }
#endif
  });
  return report.finish();
}
