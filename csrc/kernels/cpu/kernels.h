// Every CPU kernel of one instruction set as a table of functions, and the choice among them.
#pragma once

#include "../attention.h"
#include "../embedding.h"
#include "../layer_norm.h"
#include "../linear_cross_entropy.h"
#include "../matmul.h"
#include "../peak.h"
#include "../rows.h"

// name, argument struct: the one list of kernels.
#define PT_FOR_EACH_KERNEL(X)                                 \
  X(matmul, MatmulArgs)                                       \
  X(column_sums, ColumnSumsArgs)                              \
  X(activation_forward, ActivationArgs)                       \
  X(sum_of_squares, SumOfSquaresArgs)                         \
  X(top_log_probs, TopLogProbsArgs)                           \
  X(layer_norm_forward, LayerNormForwardArgs)                 \
  X(layer_norm_backward, LayerNormBackwardArgs)               \
  X(embedding_forward, EmbeddingForwardArgs)                  \
  X(embedding_backward, EmbeddingBackwardArgs)                \
  X(linear_cross_entropy, LinearCrossEntropyArgs)             \
  X(attention_forward, AttentionForwardArgs)                  \
  X(attention_backward, AttentionBackwardArgs)                \
  X(attention_weights_forward, AttentionWeightsForwardArgs)   \
  X(attention_weights_backward, AttentionWeightsBackwardArgs) \
  X(peak, PeakArgs)

namespace pt {

struct Kernels {
  const char* isa;
#define PT_MEMBER(name, Args) void (*name)(const Args&);
  PT_FOR_EACH_KERNEL(PT_MEMBER)
#undef PT_MEMBER
};

// The table in use: what select_kernels chose last, or else what PYTRANSFORMER_ISA names, or else
// the best that this machine runs. Throws std::runtime_error when PYTRANSFORMER_ISA names
// something that is not compiled in or that this machine lacks.
const Kernels& kernels();

// Throws std::runtime_error likewise; the choice holds for the whole process.
void select_kernels(const char* isa);

// Any table from now on, in the whole process.
void use_kernels(const Kernels& table);

// The tables compiled into this build, best first, and whether this machine can run one.
struct AvailableKernels {
  const Kernels* table;
  bool runs_here;
};
constexpr int kMaxIsas = 4;
// Returns how many; fills `tables`.
int available_kernels(AvailableKernels (&tables)[kMaxIsas]);

}  // namespace pt
