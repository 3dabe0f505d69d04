// The stack of scratch memory: alignment, nesting, growth, reuse.
#define PT_ISA generic
#include "../../csrc/kernels/cpu/scratch.h"

#include <atomic>
#include <cstring>
#include <string>
#include <thread>
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

// What a call leaves is kept for the next one, unless it is too much or nobody wants it any more.
void what_is_kept(Report& report) {
  report.begin("kept and dropped");
  const auto call = [](size_t size) {
    const scratch::Mark mark = scratch::mark();
    take(size, 3);
    scratch::release(mark);
  };
  call(size_t(5) << 20);
  report.require(scratch::kept() >= size_t(5) << 20, "nothing is kept");
  call(scratch::kMostKept + 1);
  report.require(scratch::kept() == 0, "too much is kept");
  call(1000);
  report.require(scratch::kept() > 0, "nothing is kept after that");
  scratch::drop_all();
  report.require(scratch::kept() == 0, "something is left");

  const scratch::Mark mark = scratch::mark();
  const std::vector<Piece> pieces = {take(1000, 4)};
  scratch::drop_all();
  require_whole(report, pieces);
  report.require(scratch::kept() > 0, "memory in use was taken away");
  scratch::release(mark);
  report.require(scratch::kept() == 0, "it was not dropped afterwards");
}

// From other threads, whose memory goes with them or on demand.
void threads(Report& report) {
  report.begin("threads");
  scratch::drop_all();
  size_t during = 0;
  std::thread other([&] {
    const scratch::Mark mark = scratch::mark();
    take(100000, 5);
    scratch::release(mark);
    during = scratch::kept();
  });
  other.join();
  report.require(during >= 100000, "a thread's memory is not counted");
  report.require(scratch::kept() == 0, "it outlives its thread");
  std::atomic<bool> done{false};
  std::thread busy([&] {
    for (int i = 0; i < 2000; i++) {
      const scratch::Mark mark = scratch::mark();
      require_whole(report, {take(size_t(1000) << i % 8, 6)});
      scratch::release(mark);
    }
    done = true;
  });
  while (!done) scratch::drop_all();
  busy.join();
}

}  // namespace
}  // namespace pt::test

int main() {
  pt::test::Report report;
  for (int i = 0; i < 3; i++) {
    pt::test::pieces_do_not_overlap(report);
    pt::test::inner_marks_give_back(report);
    pt::test::what_is_kept(report);
    pt::test::threads(report);
  }
  return report.finish();
}
