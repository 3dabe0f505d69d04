"""The public ops, from the compiled extension or from ``pytransformer.reference``.

The environment variable ``PYTRANSFORMER_BACKEND`` decides when this module is first imported:
``native`` (the default) or ``reference``, which needs no compiled extension. This is the only
place that knows of the choice.

Tensors of a call lie on one device, the CPU or one with CUDA; a seed is a number of the CPU. On
CUDA devices the compiled ops take float16 wherever they take bfloat16.
"""

import os

BACKEND = os.environ.get("PYTRANSFORMER_BACKEND") or "native"
"""Which of the two is in use."""

if BACKEND == "native":
    from pytransformer.ops.add_layer_norm import add_layer_norm
    from pytransformer.ops.attention import attention
    from pytransformer.ops.attention_weights import attention_weights
    from pytransformer.ops.embedding import embedding
    from pytransformer.ops.feed_forward import feed_forward
    from pytransformer.ops.layer_norm import layer_norm
    from pytransformer.ops.linear import linear
    from pytransformer.ops.linear_cross_entropy import linear_cross_entropy
    from pytransformer.ops.multi_head_attention import multi_head_attention
    from pytransformer.ops.orthogonalize import orthogonalize
    from pytransformer.ops.sum_of_squares import sum_of_squares
    from pytransformer.ops.tied import tied
    from pytransformer.ops.top_log_probs import top_log_probs
elif BACKEND == "reference":
    from pytransformer.reference import (
        add_layer_norm,
        attention,
        attention_weights,
        embedding,
        feed_forward,
        layer_norm,
        linear,
        linear_cross_entropy,
        multi_head_attention,
        orthogonalize,
        sum_of_squares,
        tied,
        top_log_probs,
    )
else:
    raise ImportError(
        f"PYTRANSFORMER_BACKEND = {BACKEND!r}: set it to 'native' (the compiled extension) or "
        "'reference' (plain PyTorch, slow), or leave it unset for 'native'"
    )

__all__ = [
    "BACKEND",
    "add_layer_norm",
    "attention",
    "attention_weights",
    "embedding",
    "feed_forward",
    "layer_norm",
    "linear",
    "linear_cross_entropy",
    "multi_head_attention",
    "orthogonalize",
    "sum_of_squares",
    "tied",
    "top_log_probs",
]
