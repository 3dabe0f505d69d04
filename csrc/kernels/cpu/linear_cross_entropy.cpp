// Linear layer and cross-entropy in one: the logits of a chunk of rows are computed, turned into
// their own gradient in place, and used at once for the three gradients; they never exist whole.
//
// The chunk's size depends on the vocabulary alone, and the weight's gradient continues from chunk
// to chunk as one chain of multiply-adds over the rows: neither threads nor chunks change a bit.
// Where bfloat16 is multiplied in pairs, the logits' gradient is rounded to it, into the front half
// of each row, so that both products with it run on pairs; their sums are float32 throughout.
#include "../linear_cross_entropy.h"

#include "../rows.h"
#include "matmul.h"
#include "parallel.h"
#include "product.h"
#include "row_softmax.h"
#include "scratch.h"

PT_ISA_BEGIN

void column_sums(const ColumnSumsArgs& args);
void linear_cross_entropy(const LinearCrossEntropyArgs& args);

namespace {

constexpr int64_t kChunkBytes = int64_t(12) << 20;
constexpr int64_t kMaxRows = 512;
constexpr int64_t kMinRows = 32;

// S is the type of x; G that of the logits' gradient.
template <class S>
class CrossEntropy {
 public:
  using T = Compute<S>;
  using V = Vector<T>;
  using G = typename ProductOf<S>::Element;
  explicit CrossEntropy(const LinearCrossEntropyArgs& args)
      : args_(args), width_(round_up(args.vocabulary, V::size)) {
    chunk_ = kChunkBytes / int64_t(sizeof(T)) / width_;
    chunk_ = max(kMinRows, min(kMaxRows, chunk_));
  }

  void run() const {
    const bool gradients =
        args_.grad_x != nullptr || args_.grad_weight != nullptr || args_.grad_bias != nullptr;
    Scratch scratch;
    T* logits = scratch.take<T>((chunk_ < args_.rows ? chunk_ : args_.rows) * width_);
    // Gradients of parameters stored in bfloat16 are accumulated in float32 all the same.
    T* grad_weight = accumulator(scratch, args_.grad_weight, args_.weight.type,
                                 args_.vocabulary * args_.columns);
    T* grad_bias = accumulator(scratch, args_.grad_bias, args_.bias.type, args_.vocabulary);
    // Also without rows: the gradients are zero then, not undefined.
    for (int64_t first = 0; first == 0 || first < args_.rows; first += chunk_) {
      const int64_t rows = args_.rows - first < chunk_ ? args_.rows - first : chunk_;
      compute_logits(first, rows, logits);
      parallel_ranges(rows, 1, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; i++) one_row(first + i, logits + i * width_, gradients);
      });
      if (args_.grad_x != nullptr) gradient_of_x(first, rows, logits);
      if (grad_weight != nullptr) gradient_of_weight(first, rows, logits, grad_weight);
      if (grad_bias != nullptr) {
        column_sums({rows, args_.vocabulary, logits, type_of<G>(), grad_stride(), grad_bias,
                     own_type(), first > 0});
      }
    }
    round_to(args_.grad_weight, args_.weight.type, grad_weight, args_.vocabulary * args_.columns);
    round_to(args_.grad_bias, args_.bias.type, grad_bias, args_.vocabulary);
  }

 private:
  template <class E>
  static constexpr Type type_of() {
    return sizeof(E) == 8 ? Type::float64 : sizeof(E) == 4 ? Type::float32 : Type::bfloat16;
  }
  static constexpr Type own_type() { return type_of<T>(); }
  int64_t grad_stride() const { return width_ * int64_t(sizeof(T) / sizeof(G)); }

  T* accumulator(Scratch& scratch, void* out, Type type, int64_t n) const {
    if (out == nullptr) return nullptr;
    return type == own_type() ? static_cast<T*>(out) : scratch.take<T>(n);
  }
  void round_to(void* out, Type type, const T* sums, int64_t n) const {
    if (out == nullptr || type == own_type()) return;
    parallel_ranges(pieces_of(n, V::size), 256, [&](int64_t first, int64_t last) {
      for (int64_t i = first * V::size; i < last * V::size; i += V::size) {
        store_typed(load_up_to<V>(sums + i, n - i), out, type, i, n - i);
      }
    });
  }

  Matrix rows_of_x(int64_t first) const {
    Matrix x = args_.x;
    const int64_t bytes = x.type == Type::bfloat16 ? 2 : x.type == Type::float32 ? 4 : 8;
    x.data = static_cast<const char*>(x.data) + first * x.row_stride * bytes;
    return x;
  }

  void compute_logits(int64_t first, int64_t rows, T* logits) const {
    MatmulArgs product{};
    product.m = rows;
    product.n = args_.vocabulary;
    product.k = args_.columns;
    product.a = rows_of_x(first);
    product.b = args_.weight.transposed();
    product.out = logits;
    product.out_type = own_type();
    product.out_stride = width_;
    product.epilogue.bias = args_.bias;
    matmul(product);
  }

  void gradient_of_x(int64_t first, int64_t rows, const T* logits) const {
    MatmulArgs product{};
    product.m = rows;
    product.n = args_.columns;
    product.k = args_.vocabulary;
    product.a = {logits, type_of<G>(), grad_stride(), 1};
    product.b = args_.weight;
    const int64_t bytes = args_.x.type == Type::bfloat16 ? 2 : int64_t(sizeof(T));
    product.out = static_cast<char*>(args_.grad_x) + first * args_.columns * bytes;
    product.out_type = args_.x.type;
    product.out_stride = args_.columns;
    matmul(product);
  }

  void gradient_of_weight(int64_t first, int64_t rows, const T* logits, T* grad) const {
    MatmulArgs product{};
    product.m = args_.vocabulary;
    product.n = args_.columns;
    product.k = rows;
    product.a = {logits, type_of<G>(), 1, grad_stride()};
    product.b = rows_of_x(first);
    product.out = grad;
    product.out_type = own_type();
    product.out_stride = args_.columns;
    product.accumulate = first > 0;
    matmul(product);
  }

  // The row's loss; its logits become the gradient of the objective with respect to them.
  void one_row(int64_t row, T* z, bool gradients) const {
    T* loss = static_cast<T*>(args_.losses) + row;
    const int64_t n = args_.vocabulary, target = args_.targets[row];
    G* const grad = reinterpret_cast<G*>(z);
    if (target == args_.ignore_index) {
      *loss = 0;
      for (int64_t j = 0; gradients && j < width_; j += V::size) V::zero().store(grad + j);
      return;
    }
    const T smoothing = T(args_.label_smoothing);
    const T chosen = z[target];
    const RowSoftmax<T> softmax(z, n, z);
    const T lse = softmax.log_sum_exp();
    *loss = lse - chosen;
    // Without smoothing a logit of -infinity (an excluded class) must not reach the mean.
    if (smoothing > 0) *loss = (1 - smoothing) * *loss + smoothing * (lse - softmax.total / T(n));
    if (!gradients) return;
    const T weight = args_.row_weights != nullptr ? static_cast<const T*>(args_.row_weights)[row]
                                                  : T(args_.uniform_weight);
    const V factor = V::broadcast(weight / softmax.sum);
    const V offset = V::broadcast(-weight * smoothing / T(n));
    T of_target[V::size];
    V::fma(V::broadcast(z[target]), factor, offset).store(of_target);
    // In place also where G is the smaller type: what is written lies behind what is read.
    for (int64_t j = 0; j < n; j += V::size) {
      V::fma(V::load(z + j), factor, offset).store(grad + j);
    }
    convert(grad[target], of_target[0] - weight * (1 - smoothing));
  }

  const LinearCrossEntropyArgs& args_;
  const int64_t width_;
  int64_t chunk_;
};

}  // namespace

void linear_cross_entropy(const LinearCrossEntropyArgs& args) {
  with_storage(args.x.type, [&](auto stored) { CrossEntropy<decltype(stored)>(args).run(); });
}

PT_ISA_END
