// Every contract, and the one list of them: what a device has to be able to do.
#pragma once

#include "attention.h"
#include "embedding.h"
#include "layer_norm.h"
#include "linear_cross_entropy.h"
#include "matmul.h"
#include "rows.h"

// name, argument struct.
#define PT_FOR_EACH_CONTRACT(X)                             \
  X(matmul, MatmulArgs)                                     \
  X(column_sums, ColumnSumsArgs)                            \
  X(activation_forward, ActivationArgs)                     \
  X(sum_of_squares, SumOfSquaresArgs)                       \
  X(top_log_probs, TopLogProbsArgs)                         \
  X(layer_norm_forward, LayerNormForwardArgs)               \
  X(layer_norm_backward, LayerNormBackwardArgs)             \
  X(embedding_forward, EmbeddingForwardArgs)                \
  X(embedding_backward, EmbeddingBackwardArgs)              \
  X(linear_cross_entropy, LinearCrossEntropyArgs)           \
  X(attention_forward, AttentionForwardArgs)                \
  X(attention_backward, AttentionBackwardArgs)              \
  X(attention_weights_forward, AttentionWeightsForwardArgs) \
  X(attention_weights_backward, AttentionWeightsBackwardArgs)
