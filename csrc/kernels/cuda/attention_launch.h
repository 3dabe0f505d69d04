// Launching attention's tensor-core kernels, which are blocks that own rows of one side. A Block
// has Args, Extras, a Config, whose Shared is its memory, and a static compute(args, extras) that
// returns false where a result that is not finite may come from what is hidden; such blocks are
// computed again by the careful variant, a kernel of its own, so that the usual one has its
// registers for itself.
#pragma once

#include "attention_scores.h"

namespace pt::cuda {

// A flag for each block of the usual kernel; null where nothing is hidden.
inline uint8_t* flags_of(const AttentionShape& shape, unsigned blocks, Queue& queue) {
  return may_hide(shape.visibility) ? static_cast<uint8_t*>(queue.take(blocks)) : nullptr;
}

// Left alone, ptxas spills a few bytes where that lets one block more onto a multiprocessor; two
// blocks are enough to ask for. For Hopper and its successor it finds better without a spill.
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ != 900 && __CUDA_ARCH__ != 1000
#define PT_BOUNDS(Block) __launch_bounds__(Block::Config::kThreads, 2)
#else
#define PT_BOUNDS(Block) __launch_bounds__(Block::Config::kThreads)
#endif

template <class Block>
__global__ void PT_BOUNDS(Block)
    compute(const __grid_constant__ typename Block::Args args,
            const __grid_constant__ typename Block::Extras extras, uint8_t* again) {
  const bool done = Block::compute(args, extras);
  if (again != nullptr && threadIdx.x == 0) again[blockIdx.x] = done ? 0 : 1;
}

// A flag speaks for so many blocks.
template <class Block>
__global__ void PT_BOUNDS(Block)
    compute_carefully(const __grid_constant__ typename Block::Args args,
                      const __grid_constant__ typename Block::Extras extras, const uint8_t* again,
                      const unsigned blocks_of_flag) {
  if (again[blockIdx.x / blocks_of_flag] != 0) Block::compute(args, extras);
}

#undef PT_BOUNDS

// Whether heads of this width have kernels of their own for the plain case (aligned rows, no mask,
// no dropout), which need fewer registers: the widths that models have.
constexpr bool has_plain_kernel(int head_dim) { return head_dim == 64 || head_dim == 128; }
inline bool is_plain(const AttentionShape& shape, bool aligned) {
  return aligned && shape.visibility.kind == MaskKind::none && shape.dropout.threshold == 0 &&
         shape.scale > 1e-20;
}

template <class Plain, class General>
Status launch_usual(const char* name, bool plain, unsigned blocks, Queue& queue,
                    const typename General::Args& args, const typename General::Extras& extras,
                    uint8_t* again) {
  const auto start = [&](auto* kernel, size_t shared_bytes) {
    return launch(name, kernel, dim3(blocks), General::Config::kThreads, shared_bytes, queue, args,
                  extras, again);
  };
  if constexpr (has_plain_kernel(General::Config::kHeadDim)) {
    if (plain) return start(compute<Plain>, sizeof(typename Plain::Config::Shared));
  }
  return start(compute<General>, sizeof(typename General::Config::Shared));
}

template <class Careful>
Status launch_careful(const char* name, unsigned blocks, Queue& queue,
                      const typename Careful::Args& args, const typename Careful::Extras& extras,
                      const uint8_t* again, unsigned blocks_of_flag = 1) {
  return launch(name, compute_carefully<Careful>, dim3(blocks), Careful::Config::kThreads,
                sizeof(typename Careful::Config::Shared), queue, args, extras, again,
                blocks_of_flag);
}

// body(S{}, Number<kHeadDim>{}) for the storage type and the narrowest tiles that hold a head.
template <class Body>
Status with_head(const AttentionShape& shape, const Body& body) {
  return with_half(shape.type, [&](auto stored) {
    if (shape.head_dim <= 32) return body(stored, Number<32>{});
    if (shape.head_dim <= 64) return body(stored, Number<64>{});
    if (shape.head_dim <= 128) return body(stored, Number<128>{});
    return body(stored, Number<256>{});
  });
}

}  // namespace pt::cuda
