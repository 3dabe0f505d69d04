// Embedding backward. Rows are put in order of their tokens, each token's own ascending, and cut
// into chunks of a constant number; a warp adds a chunk. A token whose rows all lie in one chunk is
// then done. Of the others every chunk holds a piece at its beginning or its end, and another
// kernel adds a token's pieces in order: frequent tokens have as many warps at work as rare ones.
// Positions: a warp adds the rows of one position, from the first sequence to the last.
#include "embedding_rows.h"

namespace pt::cuda {
namespace {

constexpr int kChunk = 16;  // rows

// Rows in order of their tokens.
struct Order {
  const int64_t *tokens, *rows;
};

// What of a row reaches its token or position, to be added to `sum`.
template <class T>
__device__ __forceinline__ void add_row(const EmbeddingBackwardArgs& args, bool aligned,
                                        int64_t row, int64_t j, T factor,
                                        T (&sum)[kEmbeddingVector]) {
  T grad[kEmbeddingVector], keep[kEmbeddingVector];
  load_typed(args.grad, args.grad_type, row * args.grad_stride + j, args.columns - j, aligned,
             grad);
  if (args.dropout.threshold > 0) dropout_multipliers(args.dropout, j, row, keep);
#pragma unroll
  for (int e = 0; e < kEmbeddingVector; e++) {
    if (args.dropout.threshold > 0) grad[e] *= keep[e];
    sum[e] += grad[e] * factor;
  }
}

template <class T>
__global__ void __launch_bounds__(kEmbeddingWarps* kWarp)
    clear_tokens(const EmbeddingBackwardArgs args, const bool aligned) {
  const int64_t row = row_of_warp();
  if (row >= args.vocabulary) return;
  for_lane_columns(args.columns, [&](int64_t j) {
    const T zeros[kEmbeddingVector] = {};
    store_typed(zeros, args.grad_weight, args.weight_type, row * args.columns + j, args.columns - j,
                aligned);
  });
}

__device__ __forceinline__ bool has_gradient(const EmbeddingBackwardArgs& args, int64_t token) {
  return token >= 0 && token < args.vocabulary && token != args.padding_token;
}

// pieces[chunk][0]: of the token that was already there in the chunk before; [1]: of the one that
// goes on in the next chunk, and began in this one.
template <class T>
__global__ void __launch_bounds__(kEmbeddingWarps* kWarp)
    add_chunks(const EmbeddingBackwardArgs args, const bool aligned, const Order order, T* pieces) {
  const int64_t chunk = row_of_warp(), first = chunk * kChunk;
  if (first >= args.rows) return;
  const int64_t end = min(first + kChunk, args.rows);
  for_lane_columns(args.columns, [&](int64_t j) {
    T sum[kEmbeddingVector] = {};
    bool began = first == 0 || order.tokens[first - 1] != order.tokens[first];
#pragma unroll 1
    for (int64_t i = first; i < end; i++) {
      const int64_t token = order.tokens[i];
      add_row(args, aligned, order.rows[i], j, T(args.scale), sum);
      const bool ends = i + 1 == args.rows || order.tokens[i + 1] != token;
      if (!ends && i + 1 < end) continue;
      if (ends && began) {
        if (has_gradient(args, token)) {
          store_typed(sum, args.grad_weight, args.weight_type, token * args.columns + j,
                      args.columns - j, aligned);
        }
      } else {
        T* piece = pieces + (2 * chunk + (began ? 1 : 0)) * args.columns + j;
        store_up_to(sum, piece, args.columns - j, aligned);
      }
      began = true;
#pragma unroll
      for (int e = 0; e < kEmbeddingVector; e++) sum[e] = 0;
    }
  });
}

// A warp for each chunk in which a token begins that goes on in the next.
template <class T>
__global__ void __launch_bounds__(kEmbeddingWarps* kWarp)
    join_pieces(const EmbeddingBackwardArgs args, const bool aligned, const Order order,
                const T* pieces) {
  const int64_t chunk = row_of_warp(), next = (chunk + 1) * kChunk;
  if (next >= args.rows) return;
  const int64_t token = order.tokens[next - 1];
  if (order.tokens[next] != token || !has_gradient(args, token)) return;
  if (chunk > 0 && order.tokens[chunk * kChunk - 1] == token) return;  // it began earlier
  for_lane_columns(args.columns, [&](int64_t j) {
    const T* piece = pieces + (2 * chunk + 1) * args.columns + j;
    T sum[kEmbeddingVector], more[kEmbeddingVector];
    load_up_to(piece, args.columns - j, aligned, sum);
    for (int64_t i = next; i < args.rows && order.tokens[i] == token; i += kChunk) {
      piece = pieces + 2 * (i / kChunk) * args.columns + j;
      load_up_to(piece, args.columns - j, aligned, more);
#pragma unroll
      for (int e = 0; e < kEmbeddingVector; e++) sum[e] += more[e];
    }
    store_typed(sum, args.grad_weight, args.weight_type, token * args.columns + j, args.columns - j,
                aligned);
  });
}

template <class T>
__global__ void __launch_bounds__(kEmbeddingWarps* kWarp)
    add_positions(const EmbeddingBackwardArgs args, const bool aligned) {
  const int64_t position = row_of_warp();
  if (position >= args.table_rows) return;
  for_lane_columns(args.columns, [&](int64_t j) {
    T sum[kEmbeddingVector] = {};
    for (int64_t b = 0; b < args.batch; b++) {
      const int64_t row = start_of(args.cu_seqlens, args.length, b, args.rows) + position;
      if (row < start_of(args.cu_seqlens, args.length, b + 1, args.rows)) {
        add_row(args, aligned, row, j, T(1), sum);
      }
    }
    store_typed(sum, args.grad_positions, args.positions_type, position * args.columns + j,
                args.columns - j, aligned);
  });
}

template <class T>
class Backward {
 public:
  Backward(const EmbeddingBackwardArgs& args, Queue& queue)
      : args_(args), queue_(queue),
        aligned_(args.columns % kEmbeddingVector == 0 && args.grad_stride % kEmbeddingVector == 0 &&
                 is_aligned(args.grad) && is_aligned(args.grad_weight) &&
                 is_aligned(args.grad_positions)) {}

  Status run() {
    Status status;
    if (args_.grad_weight != nullptr) status = tokens();
    if (status.failed() || args_.grad_positions == nullptr) return status;
    return start(add_positions<T>, args_.table_rows);
  }

 private:
  Status tokens() {
    Status status = start(clear_tokens<T>, args_.vocabulary);
    if (status.failed() || args_.rows == 0) return status;
    const auto bytes = size_t(args_.rows) * sizeof(int64_t);
    auto* sorted = static_cast<int64_t*>(queue_.take(bytes));
    auto* rows = static_cast<int64_t*>(queue_.take(bytes));
    queue_.sort(args_.tokens, args_.rows, sorted, rows);
    const int64_t chunks = pieces_of(args_.rows, kChunk);
    T* pieces = static_cast<T*>(queue_.take(size_t(2 * chunks * args_.columns) * sizeof(T)));
    const Order order{sorted, rows};
    status = start(add_chunks<T>, chunks, order, pieces);
    if (status.failed()) return status;
    return start(join_pieces<T>, chunks, order, pieces);
  }

  // A warp for each of `rows`.
  template <class Kernel, class... Arguments>
  Status start(Kernel* kernel, int64_t rows, const Arguments&... arguments) {
    if (rows == 0) return {};
    return launch("embedding_backward", kernel, embedding_blocks(rows), kEmbeddingWarps * kWarp, 0,
                  queue_, args_, aligned_, arguments...);
  }

  const EmbeddingBackwardArgs& args_;
  Queue& queue_;
  const bool aligned_;
};

}  // namespace

Status embedding_backward(const EmbeddingBackwardArgs& args, Queue& queue) {
  if (args.columns == 0) return {};
  return args.grad_type == Type::float64 ? Backward<double>(args, queue).run()
                                         : Backward<float>(args, queue).run();
}

}  // namespace pt::cuda
