// Pieces of memory whose own allocations are slow: in powers of two, from large chunks that are
// never given back. It touches none of it, so the memory may be a device's.
#pragma once

#include <array>
#include <cstddef>
#include <vector>

namespace pt::test {

class Pool {
 public:
  using Source = void* (*)(size_t bytes);
  static constexpr size_t kLeast = 256, kChunk = size_t(64) << 20;  // bytes

  explicit Pool(Source source) : source_(source) {}
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  // At a multiple of kLeast, as the source's chunks are. A piece that was given is taken again
  // first.
  void* take(size_t bytes) {
    std::vector<void*>& given = given_[size_t(exponent_of(bytes))];
    if (given.empty()) return cut(size_t(1) << exponent_of(bytes));
    void* piece = given.back();
    given.pop_back();
    return piece;
  }
  // `bytes` as it was taken.
  void give(void* piece, size_t bytes) { given_[size_t(exponent_of(bytes))].push_back(piece); }

 private:
  static int exponent_of(size_t bytes) {
    int exponent = 8;
    static_assert(kLeast == size_t(1) << 8);
    while ((size_t(1) << exponent) < bytes) exponent++;
    return exponent;
  }
  // What is left of a chunk is lost when a piece does not fit any more.
  void* cut(size_t bytes) {
    if (bytes > left_) {
      left_ = bytes > kChunk ? bytes : kChunk;
      next_ = static_cast<unsigned char*>(source_(left_));
    }
    void* piece = next_;
    next_ += bytes;
    left_ -= bytes;
    return piece;
  }

  const Source source_;
  std::array<std::vector<void*>, 64> given_;
  unsigned char* next_ = nullptr;
  size_t left_ = 0;
};

}  // namespace pt::test
