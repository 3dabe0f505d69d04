// What the files of the matrix product's CUDA kernels call of each other.
#pragma once

#include "matmul_block.h"

namespace pt::cuda {

// The product in parts over k: of `depth` each, but for the last. Part p of element (i, j) is
// finished as if it were element (p m + i, j); a product in one part is finished as it is.
struct Parts {
  int64_t count, depth;
};

// Tensor cores: operands that enter as S.
template <class S>
Status multiply_halves(const MatmulArgs& args, const Parts& parts, Queue& queue);
// Plain arithmetic in T.
template <class T>
Status multiply_plain(const MatmulArgs& args, const Parts& parts, Queue& queue);

// What a product takes of a multiprocessor's time, relative to others with the same operands: the
// blocks that the busiest one works on, times the results of a block, times what each costs there.
template <class Shape>
double cost_of(const MatmulArgs& args, const Parts& parts, const Queue& queue, double each) {
  const int64_t blocks =
      pieces_of(args.m, Shape::kRows) * pieces_of(args.n, Shape::kCols) * parts.count;
  return double(pieces_of(blocks, queue.multiprocessors())) * Shape::kRows * Shape::kCols * each;
}

}  // namespace pt::cuda
