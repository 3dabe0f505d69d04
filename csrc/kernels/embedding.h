// Token embeddings, scaled, with positions added and dropout on the sum.
#pragma once

#include "types.h"

namespace pt {

// out[row] = dropout(scale * weight[tokens[row]] + positions[row - start of its sequence]). Who
// calls the CPU has checked the tokens and the sequences; on other devices a row whose token or
// position does not exist is NaN.
struct EmbeddingForwardArgs {
  int64_t rows, columns, batch, vocabulary, table_rows;
  const int64_t* tokens;  // [rows]
  const void* weight;     // [vocabulary, columns], contiguous
  Type weight_type;
  const int32_t* cu_seqlens;  // [batch + 1]; null: sequences of `length` rows each
  int64_t length;
  const void* positions;  // [table_rows, columns] contiguous, or null
  Type positions_type;
  double scale;
  Dropout dropout;  // counter (column / 4, row, 0, 0)
  void* out;        // [rows, columns]
  Type out_type;
};

// grad_weight = for each token, the sum over its rows in ascending order (0 for padding_token), on
// other devices than the CPU by chunks; grad_positions = for each position, the sum over the
// sequences in ascending order. There, rows of tokens and positions that do not exist are left out.
struct EmbeddingBackwardArgs {
  int64_t rows, columns, batch, vocabulary, table_rows;
  const int64_t* tokens;
  const int32_t* cu_seqlens;
  int64_t length;
  const void* grad;  // [rows, columns]
  Type grad_type;
  int64_t grad_stride;
  double scale;
  Dropout dropout;
  int64_t padding_token;  // -1: none
  void* grad_weight;      // [vocabulary, columns], or null
  Type weight_type;
  void* grad_positions;  // [table_rows, columns], or null
  Type positions_type;
};

}  // namespace pt
