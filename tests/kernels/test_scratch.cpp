// The stack of scratch memory: alignment, nesting, growth, reuse.
#define PT_ISA generic
#include "../../csrc/kernels/cpu/scratch.h"

#include <cstring>
#include <string>
#include <vector>

#include "check.h"

namespace pt::test {
namespace {

struct Piece {
  unsigned char* memory;
  size_t size;
  unsigned char mark;
};

Piece take(size_t size, int mark) {
  void* memory = scratch::take(size);
  std::memset(memory, mark, size);
  return {static_cast<unsigned char*>(memory), size, static_cast<unsigned char>(mark)};
}

void require_whole(Report& report, const std::vector<Piece>& pieces) {
  for (const Piece& piece : pieces) {
    report.require(reinterpret_cast<uintptr_t>(piece.memory) % 64 == 0, "not 64-byte aligned");
    bool whole = true;
    for (size_t i = 0; i < piece.size; i++) whole = whole && piece.memory[i] == piece.mark;
    report.require(whole, "a piece was overwritten by another one");
  }
}

void pieces_do_not_overlap(Report& report) {
  report.begin("pieces of many sizes");
  const scratch::Mark mark = scratch::mark();
  std::vector<Piece> pieces;
  // From one byte to past the first block, and the second.
  for (const size_t size : {1, 64, 65, 1000, 60000, 70000, 1, 300000, 0, 100}) {
    pieces.push_back(take(size, int(pieces.size()) + 1));
  }
  require_whole(report, pieces);
  scratch::release(mark);
}

void inner_marks_give_back(Report& report) {
  report.begin("nested marks");
  const scratch::Mark outer = scratch::mark();
  const std::vector<Piece> kept = {take(100, 1)};
  for (int i = 0; i < 5; i++) {
    const scratch::Mark inner = scratch::mark();
    take(size_t(50000) << i, 2);
    scratch::release(inner);
  }
  const scratch::Mark mark = scratch::mark();
  void* first = scratch::take(1000);
  scratch::release(mark);
  void* second = scratch::take(1000);
  report.require(first == second, "memory that was given back is not used again");
  require_whole(report, kept);
  scratch::release(outer);
}

}  // namespace
}  // namespace pt::test

int main() {
  pt::test::Report report;
  for (int i = 0; i < 3; i++) {
    pt::test::pieces_do_not_overlap(report);
    pt::test::inner_marks_give_back(report);
  }
  return report.finish();
}
