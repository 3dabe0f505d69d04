// Random vocabularies and sentences: without dropout the pieces are those of plain merging; with it
// they spell the same characters, and come again with the same seed.
#include <cstdio>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "../../csrc/subwords/bpe.h"

namespace pt::test {
namespace {

using Ids = std::vector<int64_t>;

// Pieces by their spelling: single letters, and pairs of pieces joined at random. Letter 0 begins
// words.
struct Vocabulary {
  std::vector<std::string> spelling;
  std::vector<int32_t> characters;
  std::vector<int64_t> offsets{0};
  std::vector<Merge> merges;
  std::vector<int32_t> ranks;
  std::map<std::pair<int64_t, int64_t>, int32_t> merged;

  Vocabulary(int letters, int joined, std::mt19937& random) {
    std::map<std::string, int32_t> ids;
    const auto add = [&](const std::string& piece) {
      if (!ids.emplace(piece, int32_t(spelling.size())).second) return;
      spelling.push_back(piece);
      for (const char letter : piece) characters.push_back(letter - 'a');
      offsets.push_back(int64_t(characters.size()));
    };
    for (int i = 0; i < letters; i++) add(std::string(1, char('a' + i)));
    for (int i = 0; i < joined; i++) {
      const std::string left = spelling[random() % spelling.size()];
      const std::string right = spelling[random() % spelling.size()];
      if (right.find('a') == std::string::npos && left.size() + right.size() < 9) add(left + right);
    }
    for (size_t id = 0; id < spelling.size(); id++) {
      for (size_t cut = 1; cut < spelling[id].size(); cut++) {
        const auto left = ids.find(spelling[id].substr(0, cut));
        const auto right = ids.find(spelling[id].substr(cut));
        if (left == ids.end() || right == ids.end()) continue;
        merges.push_back({left->second, right->second, int32_t(id)});
        merged[{left->second, right->second}] = int32_t(id);
      }
      ranks.push_back(int32_t(random() % 20));  // ties, too
    }
  }

  Bpe bpe() const { return Bpe(characters, offsets, merges, ranks, 0); }

  std::string spelled(const Ids& ids) const {
    std::string text;
    for (const int64_t id : ids) text += spelling[size_t(id)];
    return text;
  }

  // The best merge of the whole sentence, again and again.
  Ids merge(const std::string& text) const {
    Ids ids;
    for (const char letter : text) ids.push_back(letter - 'a');
    for (;;) {
      size_t best = ids.size();
      int32_t piece = -1;
      for (size_t i = 0; i + 1 < ids.size(); i++) {
        const auto found = merged.find({ids[i], ids[i + 1]});
        if (found == merged.end()) continue;
        if (piece >= 0 && ranks[size_t(found->second)] >= ranks[size_t(piece)]) continue;
        best = i;
        piece = found->second;
      }
      if (piece < 0) return ids;
      ids[best] = piece;
      ids.erase(ids.begin() + int64_t(best) + 1);
    }
  }
};

int failures = 0;

void require(bool holds, const char* what, int round) {
  if (holds) return;
  failures++;
  std::printf("FAILED round %d: %s\n", round, what);
}

void check(const Vocabulary& vocabulary, const Ids& sentence, int round) {
  const Bpe bpe = vocabulary.bpe();
  const std::string text = vocabulary.spelled(sentence);
  const int64_t count = int64_t(sentence.size());
  Ids plain, drawn, again, other;
  bpe.segment(sentence.data(), count, {0.0, 1, 0}, plain);
  require(plain == vocabulary.merge(text), "not the pieces of plain merging", round);
  const BpeDropout dropout{0.4, uint64_t(round), 3};
  bpe.segment(sentence.data(), count, dropout, drawn);
  require(vocabulary.spelled(drawn) == text, "other characters", round);
  bpe.segment(plain.data(), int64_t(plain.size()), dropout, again);
  require(again == drawn, "other pieces with the same seed", round);
  other.push_back(7);
  bpe.segment(sentence.data(), count, dropout, other);
  drawn.insert(drawn.begin(), 7);
  require(other == drawn, "what was there before is not kept", round);
}

}  // namespace
}  // namespace pt::test

int main() {
  std::mt19937 random(5);
  constexpr int kRounds = 400;
  for (int round = 0; round < kRounds; round++) {
    // Without any merge; with few; with many.
    const pt::test::Vocabulary vocabulary(1 + int(random() % 8), round % 3 * 20, random);
    pt::test::Ids sentence(random() % 40);
    for (int64_t& id : sentence) id = int64_t(random() % vocabulary.spelling.size());
    pt::test::check(vocabulary, sentence, round);
  }
  std::printf("%d rounds, %d failed\n", kRounds, pt::test::failures);
  return pt::test::failures == 0 ? 0 : 1;
}
