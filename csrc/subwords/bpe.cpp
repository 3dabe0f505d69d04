#include "bpe.h"

#include <cmath>
#include <limits>
#include <utility>

namespace pt {
namespace {

constexpr int32_t kNone = -1;

// The finalizer of SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number
// generators", OOPSLA 2014): a counter becomes 64 random bits.
uint64_t mix(uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

constexpr uint64_t kGolden = 0x9e3779b97f4a7c15u;

uint64_t place(int32_t left, int32_t right) {
  return mix(uint64_t(uint32_t(left)) << 32 | uint32_t(right));
}

}  // namespace

// A sentence's own sequence of choices.
class Bpe::Draws {
 public:
  explicit Draws(const BpeDropout& dropout)
      : state_(mix(dropout.seed) + mix(dropout.sentence + kGolden)),
        below_(uint64_t(std::ldexp(dropout.probability, 53))) {}

  bool left_out() {
    if (below_ == 0) return false;
    state_ += kGolden;
    return mix(state_) >> 11 < below_;
  }

 private:
  uint64_t state_;
  uint64_t below_;  // of 2^53
};

Bpe::Bpe(std::vector<int32_t> characters, std::vector<int64_t> offsets,
         const std::vector<Merge>& merges, std::vector<int32_t> ranks, int32_t space)
    : characters_(std::move(characters)), offsets_(std::move(offsets)), ranks_(std::move(ranks)),
      space_(space) {
  size_t places = 2;
  while (places < 2 * merges.size()) places *= 2;
  table_.assign(places, Merge{kNone, kNone, kNone});
  for (const Merge& merge : merges) {
    uint64_t at = place(merge.left, merge.right);
    while (table_[at & (places - 1)].merged != kNone) at++;
    table_[at & (places - 1)] = merge;
  }
}

int32_t Bpe::find(int32_t left, int32_t right) const {
  for (uint64_t at = place(left, right);; at++) {
    const Merge& merge = table_[at & (table_.size() - 1)];
    if (merge.merged == kNone) return kNone;
    if (merge.left == left && merge.right == right) return merge.merged;
  }
}

void Bpe::merge_word(std::vector<int32_t>& word, Draws& draws, std::vector<int64_t>& out) const {
  for (;;) {
    size_t best = 0;
    int32_t merged = kNone, rank = std::numeric_limits<int32_t>::max();
    for (size_t i = 0; i + 1 < word.size(); i++) {
      const int32_t candidate = find(word[i], word[i + 1]);
      if (candidate == kNone || draws.left_out() || ranks_[candidate] >= rank) continue;
      best = i;
      merged = candidate;
      rank = ranks_[candidate];
    }
    if (merged == kNone) break;
    word[best] = merged;
    word.erase(word.begin() + int64_t(best) + 1);
  }
  out.insert(out.end(), word.begin(), word.end());
  word.clear();
}

void Bpe::segment(const int64_t* ids, int64_t count, const BpeDropout& dropout,
                  std::vector<int64_t>& out) const {
  Draws draws(dropout);
  std::vector<int32_t> word;
  for (int64_t i = 0; i < count; i++) {
    for (int64_t c = offsets_[ids[i]]; c < offsets_[ids[i] + 1]; c++) {
      if (characters_[c] == space_) merge_word(word, draws, out);
      word.push_back(characters_[c]);
    }
  }
  merge_word(word, draws, out);
}

}  // namespace pt
