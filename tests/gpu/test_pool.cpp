// The pool that tests on a GPU take memory from, over ordinary memory.
#include "pool.h"

#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>

#include "../kernels/check.h"

namespace pt::test {
namespace {

struct Free {
  void operator()(void* p) const { std::free(p); }
};
std::map<unsigned char*, size_t>& chunks() {
  static std::map<unsigned char*, size_t> made;
  return made;
}
std::vector<std::unique_ptr<void, Free>>& owned() {
  static std::vector<std::unique_ptr<void, Free>> all;
  return all;
}
void* chunk(size_t bytes) {
  void* memory =
      std::aligned_alloc(Pool::kLeast, (bytes + Pool::kLeast - 1) / Pool::kLeast * Pool::kLeast);
  owned().emplace_back(memory);
  chunks()[static_cast<unsigned char*>(memory)] = bytes;
  return memory;
}

bool lies_in_a_chunk(const unsigned char* piece, size_t bytes) {
  for (const auto& [from, size] : chunks()) {
    if (piece >= from && piece + bytes <= from + size) return true;
  }
  return false;
}

struct Piece {
  unsigned char* at;
  size_t bytes;
  unsigned char mark;
};

bool holds_its_mark(const Piece& piece) {
  for (size_t i = 0; i < piece.bytes; i++) {
    if (piece.at[i] != piece.mark) return false;
  }
  return true;
}

// Pieces come and go at random; nobody else writes into one.
void pieces_are_apart(Report& report) {
  report.begin("pieces");
  Pool pool(chunk);
  Random random(3);
  std::vector<Piece> pieces;
  for (int i = 0; i < 3000; i++) {
    if (pieces.size() > 40 || (!pieces.empty() && random.below(3) == 0)) {
      const size_t which = size_t(random.below(int64_t(pieces.size())));
      report.require(holds_its_mark(pieces[which]), "somebody wrote into another piece");
      pool.give(pieces[which].at, pieces[which].bytes);
      pieces.erase(pieces.begin() + int64_t(which));
      continue;
    }
    const size_t bytes = size_t(random.below(int64_t(1) << random.below(19)));
    const Piece piece{static_cast<unsigned char*>(pool.take(bytes)), bytes,
                      static_cast<unsigned char>(i)};
    report.require(reinterpret_cast<uintptr_t>(piece.at) % Pool::kLeast == 0, "not aligned");
    report.require(lies_in_a_chunk(piece.at, bytes), "it is no memory of the source");
    std::memset(piece.at, piece.mark, bytes);
    pieces.push_back(piece);
  }
  report.require(chunks().size() == 1, "more than one chunk for little memory");
}

void chunks_are_large_enough(Report& report) {
  report.begin("large pieces");
  Pool pool(chunk);
  for (const size_t bytes : {Pool::kChunk - 1, Pool::kChunk + 1, Pool::kChunk / 2, size_t(1)}) {
    auto* piece = static_cast<unsigned char*>(pool.take(bytes));
    report.require(lies_in_a_chunk(piece, bytes), "it is no memory of the source");
    pool.give(piece, bytes);
    report.require(pool.take(bytes) == piece, "a piece that was given is not taken again");
  }
}

}  // namespace
}  // namespace pt::test

int main() {
  pt::test::Report report;
  pt::test::pieces_are_apart(report);
  pt::test::chunks_are_large_enough(report);
  return report.finish();
}
