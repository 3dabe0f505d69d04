// The generator behind dropout: the published test vectors, and each word that kernels draw.
#include "check.h"
#include "philox.h"
#include "values.h"

namespace pt::test {
namespace {

// kat_vectors of Random123, the authors' own library.
void known_answers(Report& report) {
  struct Vector {
    Words counter;
    uint64_t key;
    Words words;
  };
  const Vector vectors[] = {
      {{0, 0, 0, 0}, 0, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
      {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
       0xffffffffffffffff,
       {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
      {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
       0x299f31d0a4093822,
       {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
  };
  report.begin("known answers of the test's own generator");
  for (const Vector& v : vectors) {
    const Words words = philox(v.counter, v.key);
    for (size_t i = 0; i < 4; i++) report.require(words[i] == v.words[i], "word differs");
  }
}

Values dropped_ones(const Kernels& kernels, Type type, int64_t rows, int64_t columns,
                    const Dropout& dropout) {
  Values x(type, rows * columns), out(type, rows * columns);
  x.fill(1.0);
  kernels.activation_forward(
      {rows, columns, x.data(), out.data(), type, Activation::none, dropout});
  return out;
}

// A word is seen through the threshold: kept at word, dropped at word + 1.
void exact_words(Report& report, const Kernels& kernels) {
  for (const uint64_t seed : {uint64_t(0), uint64_t(1) << 63 | 12345, ~uint64_t(0)}) {
    report.begin(std::string(kernels.isa) + " words of seed " + std::to_string(seed));
    const Words words = philox({0, 2, 0, 0}, seed);
    for (int64_t i = 0; i < 4; i++) {
      const uint64_t word = words[size_t(i)];
      for (const uint64_t above : {0, 1}) {
        if (word + above == 0 || word + above > 0xffffffff) continue;
        const Values out = dropped_ones(kernels, Type::float32, 3, 4, {seed, word + above, 2.0});
        report.compare("out", i, out[8 + i], above == 0 ? 2.0 : 0.0, 0.0);
      }
    }
  }
}

void every_element(Report& report, const Kernels& kernels) {
  for (const Type type : kTypes) {
    for (const int64_t columns : {1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 65, 257}) {
      report.begin(std::string(kernels.isa) + " " + name_of(type) + " columns " +
                   std::to_string(columns));
      const Dropout dropout = dropout_of(0.3, 0x123456789abcdef0);
      const Values out = dropped_ones(kernels, type, 19, columns, dropout);
      for (int64_t i = 0; i < out.size(); i++) {
        const double expected = multiplier(dropout, i % columns, i / columns);
        report.compare("out", i, out[i], rounded(expected, type), epsilon_of(type));
      }
    }
  }
}

void threads_change_nothing(Report& report, const Kernels& kernels) {
  report.begin(std::string(kernels.isa) + " threads");
  const auto run = [&] {
    return dropped_ones(kernels, Type::float32, 100, 37, dropout_of(0.5, 7));
  };
  const Values one = on_threads(1, run), three = on_threads(3, run);
  report.require(one.same_bits(three), "1 and 3 threads differ");
}

}  // namespace
}  // namespace pt::test

int main() {
  using namespace pt::test;
  Report report;
  known_answers(report);
  for_each_isa([&](const pt::Kernels& kernels) {
    exact_words(report, kernels);
    every_element(report, kernels);
    threads_change_nothing(report, kernels);
  });
  return report.finish();
}
