"""Every public op again, in plain PyTorch: slow, obvious, in any float dtype.

Names and arguments are those of ``pytransformer.ops``. Backward is autograd's own, so that it can
contradict the derivatives which the kernels work out by hand. bfloat16 and float16 rows are
computed in float32 and rounded once, at the end.
"""

from pytransformer.reference.attention import (
    attention,
    attention_weights,
    multi_head_attention,
)
from pytransformer.reference.embedding import embedding
from pytransformer.reference.feed_forward import feed_forward
from pytransformer.reference.layer_norm import add_layer_norm, layer_norm
from pytransformer.reference.linear import linear
from pytransformer.reference.linear_cross_entropy import linear_cross_entropy
from pytransformer.reference.orthogonalize import orthogonalize
from pytransformer.reference.sum_of_squares import sum_of_squares
from pytransformer.reference.tied import tied
from pytransformer.reference.top_log_probs import top_log_probs

__all__ = [
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
