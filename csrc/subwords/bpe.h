// Byte pair encoding (Sennrich et al. 2016) of text that is known by its characters' ids, with
// merges left out at random (BPE dropout, Provilkov et al. 2020, algorithm 1).
#pragma once

#include <cstdint>
#include <vector>

namespace pt {

// Two neighbours that may become one piece. Pieces are numbered as in the vocabulary.
struct Merge {
  int32_t left;
  int32_t right;
  int32_t merged;
};

// What decides which merges a word goes without: the same numbers give the same pieces.
struct BpeDropout {
  double probability;  // of leaving a merge out, each time that it could be done
  uint64_t seed;
  uint64_t sentence;  // its place among those of the same seed
};

class Bpe {
 public:
  // characters: those of piece p are characters[offsets[p]] to characters[offsets[p + 1] - 1].
  // ranks: of each piece; of two merges that can be done, the one with the lower rank comes first.
  // space: the character that begins a word; no piece goes beyond the word that it begins in.
  Bpe(std::vector<int32_t> characters, std::vector<int64_t> offsets,
      const std::vector<Merge>& merges, std::vector<int32_t> ranks, int32_t space);

  int64_t pieces() const { return int64_t(offsets_.size()) - 1; }

  // Appends to `out` the pieces of the sentence that has the `count` given ones.
  void segment(const int64_t* ids, int64_t count, const BpeDropout& dropout,
               std::vector<int64_t>& out) const;

 private:
  class Draws;
  int32_t find(int32_t left, int32_t right) const;
  void merge_word(std::vector<int32_t>& word, Draws& draws, std::vector<int64_t>& out) const;

  std::vector<int32_t> characters_;
  std::vector<int64_t> offsets_;
  std::vector<int32_t> ranks_;
  int32_t space_;
  std::vector<Merge> table_;  // open addressing, a power of two of places
};

}  // namespace pt
