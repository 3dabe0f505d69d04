// Embedding forward: parallel over rows. Backward: rows are sorted by token (counting sort, so each
// token's rows stay in ascending order), then parallel over tokens, each of which sums its rows in
// one buffer and writes its gradient once. Positions likewise: parallel over positions.
#include "../embedding.h"

#include "arithmetic.h"
#include "parallel.h"
#include "philox.h"
#include "scratch.h"

PT_ISA_BEGIN

void embedding_forward(const EmbeddingForwardArgs& args);
void embedding_backward(const EmbeddingBackwardArgs& args);

namespace {

constexpr int64_t kTokenGrain = 64;

// starts[b] .. starts[b + 1]: the rows of sequence b.
PT_INLINE int64_t start_of(const int32_t* cu_seqlens, int64_t length, int64_t sequence) {
  return cu_seqlens != nullptr ? int64_t(cu_seqlens[sequence]) : sequence * length;
}

template <class T>
void forward_rows(const EmbeddingForwardArgs& args, int64_t first, int64_t last,
                  const int64_t* position_of) {
  using V = Vector<T>;
  const int64_t n = args.columns;
  const bool dropped = args.dropout.threshold > 0;
  const V scale = V::broadcast(T(args.scale));
  Scratch scratch;
  T* keep = scratch.take<T>(dropout_capacity(n) + V::size);
  for (int64_t row = first; row < last; row++) {
    if (dropped) dropout_multipliers(args.dropout, 0, n, uint32_t(row), 0, 0, keep);
    const int64_t from = args.tokens[row] * n, at = position_of[row] * n;
    for (int64_t j = 0; j < n; j += V::size) {
      V x = load_typed<V>(args.weight, args.weight_type, from + j, n - j) * scale;
      if (args.positions != nullptr) {
        x = x + load_typed<V>(args.positions, args.positions_type, at + j, n - j);
      }
      if (dropped) x = x * V::load(keep + j);
      store_typed(x, args.out, args.out_type, row * n + j, n - j);
    }
  }
}

template <class T>
void forward_as(const EmbeddingForwardArgs& args) {
  Scratch scratch;
  int64_t* position_of = scratch.take<int64_t>(args.rows);
  for (int64_t b = 0; b < args.batch; b++) {
    const int64_t start = start_of(args.cu_seqlens, args.length, b);
    const int64_t end = start_of(args.cu_seqlens, args.length, b + 1);
    for (int64_t row = start; row < end; row++) position_of[row] = row - start;
  }
  parallel_ranges(args.rows, 16, [&](int64_t first, int64_t last) {
    forward_rows<T>(args, first, last, position_of);
  });
}

template <class T>
class Backward {
 public:
  using V = Vector<T>;
  explicit Backward(const EmbeddingBackwardArgs& args)
      : args_(args), width_(round_up(args.columns, V::size)) {}

  void run() const {
    if (args_.grad_weight != nullptr) tokens();
    if (args_.grad_positions != nullptr) positions();
  }

 private:
  void tokens() const {
    Scratch scratch;
    int64_t* end = scratch.take<int64_t>(args_.vocabulary + 1);
    int64_t* order = scratch.take<int64_t>(args_.rows);
    sort_by_token(end, order);
    const int64_t groups = pieces_of(args_.vocabulary, kTokenGrain);
    parallel_for(groups, [&](int64_t group) {
      Scratch own;
      T* sum = own.take<T>(width_);
      T* keep = own.take<T>(dropout_capacity(args_.columns) + V::size);
      const int64_t last = (group + 1) * kTokenGrain;
      for (int64_t t = group * kTokenGrain; t < last && t < args_.vocabulary; t++) {
        clear(sum);
        if (t != args_.padding_token) {
          for (int64_t i = t == 0 ? 0 : end[t - 1]; i < end[t]; i++) {
            add_row(order[i], T(args_.scale), sum, keep);
          }
        }
        write(sum, args_.grad_weight, args_.weight_type, t);
      }
    });
  }

  // order: the rows by token, ascending within each; token t's end at end[t].
  void sort_by_token(int64_t* end, int64_t* order) const {
    for (int64_t t = 0; t <= args_.vocabulary; t++) end[t] = 0;
    for (int64_t row = 0; row < args_.rows; row++) end[args_.tokens[row] + 1]++;
    for (int64_t t = 0; t < args_.vocabulary; t++) end[t + 1] += end[t];
    for (int64_t row = 0; row < args_.rows; row++) order[end[args_.tokens[row]]++] = row;
  }

  void positions() const {
    parallel_for(args_.table_rows, [&](int64_t position) {
      Scratch own;
      T* sum = own.take<T>(width_);
      T* keep = own.take<T>(dropout_capacity(args_.columns) + V::size);
      clear(sum);
      for (int64_t b = 0; b < args_.batch; b++) {
        const int64_t row = start_of(args_.cu_seqlens, args_.length, b) + position;
        if (row < start_of(args_.cu_seqlens, args_.length, b + 1)) add_row(row, T(1), sum, keep);
      }
      write(sum, args_.grad_positions, args_.positions_type, position);
    });
  }

  PT_INLINE void clear(T* sum) const {
    for (int64_t j = 0; j < width_; j += V::size) V::zero().store(sum + j);
  }
  PT_INLINE void add_row(int64_t row, T factor, T* sum, T* keep) const {
    const bool dropped = args_.dropout.threshold > 0;
    if (dropped) {
      dropout_multipliers(args_.dropout, 0, args_.columns, uint32_t(row), 0, 0, keep);
    }
    const V scale = V::broadcast(factor);
    for (int64_t j = 0; j < args_.columns; j += V::size) {
      V g = load_typed<V>(args_.grad, args_.grad_type, row * args_.grad_stride + j,
                          args_.columns - j);
      if (dropped) g = g * V::load(keep + j);
      V::fma(g, scale, V::load(sum + j)).store(sum + j);
    }
  }
  PT_INLINE void write(const T* sum, void* out, Type type, int64_t row) const {
    for (int64_t j = 0; j < args_.columns; j += V::size) {
      store_typed(V::load(sum + j), out, type, row * args_.columns + j, args_.columns - j);
    }
  }

  const EmbeddingBackwardArgs& args_;
  const int64_t width_;
};

}  // namespace

void embedding_forward(const EmbeddingForwardArgs& args) {
  if (args.out_type == Type::float64) {
    forward_as<double>(args);
  } else {
    forward_as<float>(args);
  }
}

void embedding_backward(const EmbeddingBackwardArgs& args) {
  if (args.grad_type == Type::float64) {
    Backward<double>(args).run();
  } else {
    Backward<float>(args).run();
  }
}

PT_ISA_END
