// Row-wise helpers: each parallel over rows or columns with results that do not depend on the cut.
#include "../rows.h"

#include "activation.h"
#include "parallel.h"
#include "philox.h"
#include "row_softmax.h"
#include "scratch.h"

PT_ISA_BEGIN

void column_sums(const ColumnSumsArgs& args);
void activation_forward(const ActivationArgs& args);
void sum_of_squares(const SumOfSquaresArgs& args);
void top_log_probs(const TopLogProbsArgs& args);

namespace {

constexpr int64_t kRowChunk = 256;
constexpr int64_t kSquareChunk = 4096;

// Each chunk of rows sums into its own row of `partial`; the chunks are then added in order.
template <class T>
void column_sums_as(const ColumnSumsArgs& args) {
  using V = Vector<T>;
  const int64_t chunks = pieces_of(args.m, kRowChunk);
  const int64_t stride = round_up(args.n, V::size);
  Scratch scratch;
  T* partial = scratch.take<T>(chunks * stride);
  parallel_for(chunks, [&](int64_t chunk) {
    const int64_t end = args.m < (chunk + 1) * kRowChunk ? args.m : (chunk + 1) * kRowChunk;
    T* sums = partial + chunk * stride;
    fill(sums, 0, stride, T(0));
    for (int64_t i = chunk * kRowChunk; i < end; i++) {
      for (int64_t j = 0; j < args.n; j += V::size) {
        const V x = load_typed<V>(args.x, args.type, i * args.row_stride + j, args.n - j);
        (V::load(sums + j) + x).store(sums + j);
      }
    }
  });
  for (int64_t j = 0; j < args.n; j += V::size) {
    V total = args.accumulate ? load_typed<V>(args.out, args.out_type, j, args.n - j) : V::zero();
    for (int64_t chunk = 0; chunk < chunks; chunk++) {
      total = total + V::load(partial + chunk * stride + j);
    }
    store_typed(total, args.out, args.out_type, j, args.n - j);
  }
}

template <class T>
void activation_as(const ActivationArgs& args) {
  using V = Vector<T>;
  const bool dropped = args.dropout.threshold > 0;
  parallel_ranges(args.m, 16, [&](int64_t first, int64_t last) {
    Scratch scratch;
    T* keep = scratch.take<T>(dropout_capacity(args.n));
    for (int64_t i = first; i < last; i++) {
      if (dropped) dropout_multipliers(args.dropout, 0, args.n, uint32_t(i), 0, 0, keep);
      for (int64_t j = 0; j < args.n; j += V::size) {
        const V x = load_typed<V>(args.x, args.type, i * args.n + j, args.n - j);
        const V y = activate(args.activation, x);
        store_typed(dropped ? y * load_up_to<V>(keep + j, args.n - j) : y, args.out, args.type,
                    i * args.n + j, args.n - j);
      }
    }
  });
}

template <class S>
double squares(const S* x, int64_t n) {
  double sum = 0;
  for (int64_t i = 0; i < n; i++) {
    double value;
    convert(value, x[i]);
    sum += value * value;
  }
  return sum;
}

int64_t square_chunks(const SumOfSquaresArgs::Elements& tensor) {
  return pieces_of(tensor.n, kSquareChunk);
}

double chunk_squares(const SumOfSquaresArgs::Elements& tensor, int64_t chunk) {
  const int64_t at = chunk * kSquareChunk;
  double sum = 0;
  with_storage(tensor.type, [&](auto stored) {
    sum = squares(static_cast<const decltype(stored)*>(tensor.x) + at,
                  min(tensor.n - at, kSquareChunk));
  });
  return sum;
}

// Keeps the k best so far in order; a later column must be strictly larger to pass an earlier one.
template <class T>
void best_columns(const T* row, int64_t columns, int64_t k, T* values, int64_t* indices) {
  int64_t held = 0;
  for (int64_t j = 0; j < columns; j++) {
    if (held == k && !(row[j] > values[k - 1])) continue;
    int64_t at = held < k ? held++ : k - 1;
    for (; at > 0 && row[j] > values[at - 1]; at--) {
      values[at] = values[at - 1];
      indices[at] = indices[at - 1];
    }
    values[at] = row[j];
    indices[at] = j;
  }
}

template <class T>
void top_log_probs_as(const TopLogProbsArgs& args) {
  using V = Vector<T>;
  const int64_t width = round_up(args.columns, V::size);
  parallel_ranges(args.rows, 1, [&](int64_t first, int64_t last) {
    Scratch scratch;
    T* row = scratch.take<T>(width);
    for (int64_t i = first; i < last; i++) {
      for (int64_t j = 0; j < width; j += V::size) {
        load_typed<V>(args.logits, args.type, i * args.row_stride + j, args.columns - j)
            .store(row + j);
      }
      const T lse = RowSoftmax<T>(row, args.columns, nullptr).log_sum_exp();
      T* values = static_cast<T*>(args.values) + i * args.k;
      best_columns(row, args.columns, args.k, values, args.indices + i * args.k);
      for (int64_t j = 0; j < args.k; j++) values[j] -= lse;
    }
  });
}

}  // namespace

void column_sums(const ColumnSumsArgs& args) {
  if (args.type == Type::float64) {
    column_sums_as<double>(args);
  } else {
    column_sums_as<float>(args);
  }
}

void activation_forward(const ActivationArgs& args) {
  if (args.type == Type::float64) {
    activation_as<double>(args);
  } else {
    activation_as<float>(args);
  }
}

// Chunks are numbered through all tensors; each tensor's are added up, then the tensors.
void sum_of_squares(const SumOfSquaresArgs& args) {
  int64_t chunks = 0;
  for (int64_t i = 0; i < args.count; i++) chunks += square_chunks(args.tensors[i]);
  Scratch scratch;
  double* partial = scratch.take<double>(chunks);
  parallel_ranges(chunks, 8, [&](int64_t first, int64_t last) {
    int64_t begin = 0;
    for (int64_t i = 0; i < args.count && begin < last; i++) {
      const int64_t end = begin + square_chunks(args.tensors[i]);
      for (int64_t chunk = max(first, begin); chunk < min(last, end); chunk++) {
        partial[chunk] = chunk_squares(args.tensors[i], chunk - begin);
      }
      begin = end;
    }
  });
  double total = 0;
  for (int64_t i = 0; i < args.count; i++) {
    double sum = 0;
    for (int64_t left = square_chunks(args.tensors[i]); left > 0; left--) sum += *partial++;
    total += sum;
  }
  *args.out = total;
}

void top_log_probs(const TopLogProbsArgs& args) {
  if (args.type == Type::float64) {
    top_log_probs_as<double>(args);
  } else {
    top_log_probs_as<float>(args);
  }
}

PT_ISA_END
