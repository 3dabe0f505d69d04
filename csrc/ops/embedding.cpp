// embedding: tokens to rows, with positions. The table of sinusoids is computed once per width and
// type, in float64, and grows with the longest sentence seen.
#include <cmath>
#include <map>
#include <mutex>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

#include "device.h"
#include "ops.h"

namespace pt::ops {

namespace {

constexpr const char* kName = "embedding";

// Position p, column i: sin(p f_i) in the first half of the columns, cos(p f_i) in the second, with
// f_i = 10000^(-2 i / columns) (section 3.5 of the paper; the order of Marian's checkpoints).
Tensor make_sinusoids(int64_t length, int64_t columns, at::ScalarType type) {
  Tensor table = at::empty({length, columns}, at::TensorOptions().dtype(at::kDouble));
  double* values = table.mutable_data_ptr<double>();
  const int64_t sines = (columns + 1) / 2;
  for (int64_t position = 0; position < length; position++) {
    for (int64_t column = 0; column < columns; column++) {
      const int64_t i = column < sines ? column : column - sines;
      const double angle = double(position) / std::pow(10000.0, 2.0 * double(i) / double(columns));
      values[position * columns + column] = column < sines ? std::sin(angle) : std::cos(angle);
    }
  }
  return table.to(type);
}

Tensor sinusoids(int64_t length, int64_t columns, at::ScalarType type, at::Device device) {
  static std::mutex mutex;
  // By columns, type, and index of the device, which the CPU has none of.
  static std::map<std::tuple<int64_t, at::ScalarType, int>, std::vector<Tensor>> tables;
  const std::lock_guard<std::mutex> lock(mutex);
  // Tables that were outgrown stay: a kernel in some stream may be about to read one.
  std::vector<Tensor>& sizes = tables[{columns, type, int(device.index())}];
  if (sizes.empty() || sizes.back().size(0) < length) {
    int64_t rows = 64;
    while (rows < length) rows *= 2;
    if (device.is_cpu()) sizes.clear();
    sizes.push_back(make_sinusoids(rows, columns, type).to(device));
  }
  return sizes.back();
}

struct Sequences {
  int64_t batch, length;
  const int32_t* cu_seqlens;
};

Sequences sequences_of(const Tensor& tokens, const OptionalTensor& cu_seqlens) {
  if (!cu_seqlens.has_value()) {
    const int64_t length = tokens.dim() == 2 ? tokens.size(1) : tokens.size(0);
    return {tokens.dim() == 2 ? tokens.size(0) : 1, length, nullptr};
  }
  return {cu_seqlens->size(0) - 1, 0, cu_seqlens->const_data_ptr<int32_t>()};
}

// float64 rows are computed in float64, and only they.
void check_narrowing(const char* name, const Tensor& tensor, at::ScalarType dtype) {
  PT_CHECK(tensor.scalar_type() != at::kDouble || dtype == at::kDouble, kName, ": ", name,
           " is Double, but dtype is ", dtype, "; ask for Double, or convert ", name);
}

void check_tokens(const Tensor& tokens, int64_t vocabulary) {
  if (!values_are_checked(tokens)) return;
  const Tensor values = tokens.cpu();
  const int64_t* ids = values.const_data_ptr<int64_t>();
  for (int64_t i = 0; i < tokens.numel(); i++) {
    PT_CHECK(ids[i] >= 0 && ids[i] < vocabulary, kName, ": tokens[", i, "] is ", ids[i],
             "; it must be at least 0 and below ", vocabulary, ", the rows of weight");
  }
}

// The rows of a gradient that tokens of the CPU reach: the ids that occur, ascending, and for each
// token where its own is among them.
struct Occurring {
  Tensor ids, places;
  int64_t padding;  // the place of padding_idx, or -1

  Occurring(const Tensor& tokens, int64_t vocabulary, int64_t padding_idx) {
    const auto long_int = at::TensorOptions().dtype(at::kLong);
    std::vector<int64_t> place(vocabulary, -1);
    const int64_t* token = tokens.const_data_ptr<int64_t>();
    int64_t count = 0;
    for (int64_t i = 0; i < tokens.numel(); i++) {
      if (std::exchange(place[token[i]], 0) < 0) count++;
    }
    ids = at::empty({1, count}, long_int);
    places = at::empty({tokens.numel()}, long_int);
    int64_t* id = ids.mutable_data_ptr<int64_t>();
    count = 0;
    for (int64_t t = 0; t < vocabulary; t++) {
      if (place[t] < 0) continue;
      id[count] = t;
      place[t] = count++;
    }
    int64_t* placed = places.mutable_data_ptr<int64_t>();
    for (int64_t i = 0; i < tokens.numel(); i++) placed[i] = place[token[i]];
    padding = padding_idx < 0 ? -1 : place[padding_idx];
  }
};

Tensor rows_of_gradient(const Occurring& occurring, const Tensor& values, const Tensor& weight) {
  return at::_sparse_coo_tensor_unsafe(occurring.ids, values, weight.sizes(),
                                       weight.options().layout(at::kSparse), true);
}

}  // namespace

Tensor embedding(const Tensor& tokens, const Tensor& weight, const OptionalTensor& cu_seqlens,
                 int64_t max_seqlen, const OptionalTensor& positions, bool sinusoidal, double scale,
                 double dropout_p, const OptionalTensor& seed, int64_t padding_idx,
                 at::ScalarType dtype, bool /*sparse: for backward*/) {
  check_rows(kName, "weight", weight);
  PT_CHECK(weight.dim() == 2, kName, ": weight has shape ", weight.sizes(),
           "; expected [vocabulary, columns]");
  PT_CHECK(tokens.device() == weight.device(), kName, ": tokens is on ", tokens.device(),
           ", but weight is on ", weight.device());
  PT_CHECK(tokens.scalar_type() == at::kLong, kName, ": tokens is ", tokens.scalar_type(),
           "; expected Long (int64)");
  if (cu_seqlens.has_value()) {
    PT_CHECK(tokens.dim() == 1, kName, ": tokens has shape ", tokens.sizes(),
             "; with cu_seqlens it must be [rows]");
    check_cu_seqlens(kName, "cu_seqlens", *cu_seqlens, tokens, tokens.size(0));
  } else {
    PT_CHECK(tokens.dim() == 2, kName, ": tokens has shape ", tokens.sizes(),
             "; without cu_seqlens it must be [batch, length]");
  }
  const bool anywhere = dtype == at::kFloat || dtype == at::kBFloat16 || dtype == at::kDouble;
  PT_CHECK(anywhere || (dtype == at::kHalf && weight.is_cuda()), kName, ": dtype is ", dtype,
           "; expected Float, BFloat16 or Double", weight.is_cuda() ? ", or Half" : "");
  check_narrowing("weight", weight, dtype);
  if (positions.has_value()) check_narrowing("positions", *positions, dtype);
  PT_CHECK(padding_idx >= -1 && padding_idx < weight.size(0), kName, ": padding_idx is ",
           padding_idx, "; it must be a row of weight, below ", weight.size(0));
  const Tensor ids = tokens.contiguous();
  const OptionalTensor ends =
      cu_seqlens.has_value() ? OptionalTensor(cu_seqlens->contiguous()) : std::nullopt;
  const Sequences sequences = sequences_of(ids, ends);
  int64_t longest = sequences.length;
  if (ends.has_value() && (sinusoidal || positions.has_value())) {
    longest = longest_sequence(kName, "max_seqlen", max_seqlen, *ends);
  }
  const int64_t columns = weight.size(1);
  if (positions.has_value()) {
    check_rows(kName, "positions", *positions);
    PT_CHECK(positions->dim() == 2 && positions->size(1) == columns, kName,
             ": positions has shape ", positions->sizes(), "; expected [longest sentence, ",
             columns, "]");
    PT_CHECK(positions->size(0) >= longest, kName, ": positions has ", positions->size(0),
             " rows, but a sequence has ", longest, " tokens; shorten it or enlarge the table");
  }
  check_tokens(ids, weight.size(0));
  EmbeddingForwardArgs args{};
  args.dropout = dropout_of(kName, dropout_p, seed);

  const Tensor rows = weight.contiguous();
  Tensor table = positions.has_value() ? positions->contiguous() : Tensor();
  if (sinusoidal) {
    table = sinusoids(longest, columns, compute_type(dtype), weight.device());
  }
  std::vector<int64_t> sizes = tokens.sizes().vec();
  sizes.push_back(columns);
  Tensor out = at::empty(sizes, weight.options().dtype(dtype));
  args.rows = ids.numel();
  args.columns = columns;
  args.batch = sequences.batch;
  args.vocabulary = weight.size(0);
  args.tokens = ids.const_data_ptr<int64_t>();
  args.weight = rows.const_data_ptr();
  args.weight_type = type_of(rows);
  args.cu_seqlens = sequences.cu_seqlens;
  args.length = sequences.length;
  if (table.defined()) {
    args.positions = table.const_data_ptr();
    args.positions_type = type_of(table);
    args.table_rows = table.size(0);
  }
  args.scale = scale;
  args.out = out.mutable_data_ptr();
  args.out_type = type_of(out);
  on(weight).embedding_forward(args);
  return out;
}

Two embedding_backward(const Tensor& grad, const Tensor& tokens, const Tensor& weight,
                       const OptionalTensor& cu_seqlens, const OptionalTensor& positions,
                       double scale, double dropout_p, const OptionalTensor& seed,
                       int64_t padding_idx, bool sparse, std::array<bool, 2> output_mask) {
  check_rows(kName, "grad", grad);
  std::vector<int64_t> sizes = tokens.sizes().vec();
  sizes.push_back(weight.size(1));
  check_kept(kName, "grad", grad, sizes, grad.scalar_type(), weight);
  const Tensor ids = tokens.contiguous(), g = with_unit_columns(as_rows(grad));
  const OptionalTensor ends =
      cu_seqlens.has_value() ? OptionalTensor(cu_seqlens->contiguous()) : std::nullopt;
  const Sequences sequences = sequences_of(ids, ends);
  std::optional<Occurring> occurring;
  // A device would have to be waited for: how many ids occur is the size of what is allocated.
  const bool few_rows = sparse && output_mask[0] && ids.is_cpu();
  if (few_rows) occurring.emplace(ids, weight.size(0), padding_idx);
  Tensor grad_weight = nothing(weight), grad_positions = nothing(weight);
  EmbeddingBackwardArgs args{};
  args.rows = ids.numel();
  args.columns = weight.size(1);
  args.batch = sequences.batch;
  args.vocabulary = weight.size(0);
  args.tokens = ids.const_data_ptr<int64_t>();
  args.cu_seqlens = sequences.cu_seqlens;
  args.length = sequences.length;
  args.grad = g.const_data_ptr();
  args.grad_type = type_of(g);
  args.grad_stride = g.stride(0);
  args.scale = scale;
  args.dropout = dropout_of(kName, dropout_p, seed);
  args.padding_token = padding_idx;
  if (output_mask[0]) {
    if (occurring) {
      args.tokens = occurring->places.const_data_ptr<int64_t>();
      args.vocabulary = occurring->ids.numel();
      args.padding_token = occurring->padding;
    }
    grad_weight = at::empty({args.vocabulary, args.columns}, weight.options());
    args.grad_weight = grad_weight.mutable_data_ptr();
    args.weight_type = type_of(grad_weight);
  }
  if (output_mask[1] && positions.has_value()) {
    grad_positions = at::empty(positions->sizes(), positions->options());
    args.table_rows = positions->size(0);
    args.grad_positions = grad_positions.mutable_data_ptr();
    args.positions_type = type_of(grad_positions);
  }
  on(weight).embedding_backward(args);
  if (occurring) grad_weight = rows_of_gradient(*occurring, grad_weight, weight);
  return {grad_weight, grad_positions};
}

}  // namespace pt::ops
