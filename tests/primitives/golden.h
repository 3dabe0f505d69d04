// Named sections of hexadecimal words: printed, or held against a file that was printed before. A
// line of the file that is indented has words, any other one names the section that begins there.
#pragma once

#include <cinttypes>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace pt::test {

// What a word holds. Of numbers, one NaN is as good as another.
enum class Word { bits16, bits32, bits64, bfloat16, float16, float32, float64 };

inline int bits_of(Word word) {
  switch (word) {
    case Word::bits32:
    case Word::float32:
      return 32;
    case Word::bits64:
    case Word::float64:
      return 64;
    default:
      return 16;
  }
}
// Of the significand that is stored; 0 where there is none.
inline int significand_of(Word word) {
  switch (word) {
    case Word::bfloat16:
      return 7;
    case Word::float16:
      return 10;
    case Word::float32:
      return 23;
    case Word::float64:
      return 52;
    default:
      return 0;
  }
}

struct Section {
  std::string name;
  Word word;
  std::vector<uint64_t> words;
  int64_t ulps = 0;      // numbers may lie so many units of the last place apart
  double distance = 0;   // or, float32, so far

  uint64_t magnitude(uint64_t x) const { return x & ((uint64_t(1) << (bits_of(word) - 1)) - 1); }
  bool is_nan(uint64_t x) const {
    const int stored = significand_of(word);
    if (stored == 0) return false;
    const uint64_t infinity = magnitude(~uint64_t(0)) >> stored << stored;
    return magnitude(x) > infinity;
  }
  // Numbers in the order of their values, neighbours one apart.
  int64_t place(uint64_t x) const {
    return magnitude(x) == x ? int64_t(x) : -int64_t(magnitude(x));
  }
  bool agree(uint64_t a, uint64_t b) const {
    if (a == b || (is_nan(a) && is_nan(b))) return true;
    if (is_nan(a) || is_nan(b)) return false;
    if (distance > 0) return std::fabs(value(a) - value(b)) <= distance;
    return ulps > 0 && std::llabs(place(a) - place(b)) <= ulps;
  }

 private:
  static double value(uint64_t x) {
    const auto bits = uint32_t(x);
    float number;
    std::memcpy(&number, &bits, 4);
    return double(number);
  }
};

inline void print(const std::vector<Section>& sections) {
  for (const Section& section : sections) {
    std::printf("%s\n", section.name.c_str());
    const int digits = bits_of(section.word) / 4;
    const size_t columns = size_t(64 / digits);
    for (size_t i = 0; i < section.words.size(); i++) {
      std::printf("%s%0*" PRIx64, i % columns == 0 ? "  " : " ", digits, section.words[i]);
      if (i % columns == columns - 1 || i + 1 == section.words.size()) std::printf("\n");
    }
  }
}

inline std::vector<Section> read_sections(const char* path) {
  std::vector<Section> sections;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (line.rfind("  ", 0) != 0) {
      sections.push_back({line, Word::bits64, {}});
      continue;
    }
    std::istringstream words(line);
    for (uint64_t word; words >> std::hex >> word;) sections.back().words.push_back(word);
  }
  return sections;
}

// How many words differ by more than they may; prints the first ones of each section.
inline int count_differences(const Section& section, const std::vector<uint64_t>& expected) {
  constexpr int kShown = 4;
  const int digits = bits_of(section.word) / 4;
  int different = 0;
  for (size_t i = 0; i < expected.size(); i++) {
    if (section.agree(section.words[i], expected[i])) continue;
    if (different++ >= kShown) continue;
    std::printf("FAILED %s: word %zu is %0*" PRIx64 ", expected %0*" PRIx64 "\n",
                section.name.c_str(), i, digits, section.words[i], digits, expected[i]);
  }
  return different;
}

// The exit status of a program that has computed `sections`.
inline int compare_with_file(const std::vector<Section>& sections, const char* path) {
  const std::vector<Section> expected = read_sections(path);
  size_t words = 0;
  int different = 0;
  for (size_t i = 0; i < sections.size() || i < expected.size(); i++) {
    const char* own = i < sections.size() ? sections[i].name.c_str() : "nothing";
    const char* other = i < expected.size() ? expected[i].name.c_str() : "nothing";
    if (std::string(own) != other || sections[i].words.size() != expected[i].words.size()) {
      std::printf("FAILED %s has '%s' where '%s' comes, or another number of words\n", path, other,
                  own);
      return 1;
    }
    words += sections[i].words.size();
    different += count_differences(sections[i], expected[i].words);
  }
  std::printf("%zu sections, %zu words, %d differ\n", sections.size(), words, different);
  return different == 0 && words > 0 ? 0 : 1;
}

}  // namespace pt::test
