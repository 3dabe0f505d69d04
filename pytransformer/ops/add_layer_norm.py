"""Residual addition with dropout and layer norm in one pass (section 5.4 of the paper)."""

from __future__ import annotations

from torch import Tensor

from pytransformer.ops.dropout import drops, seed_tensor
from pytransformer.ops.layer_norm import statistics_like
from pytransformer.ops.native import library, register_fake
from pytransformer.precision import autocast


def add_layer_norm(
    x: Tensor,
    residual: Tensor,
    weight: Tensor,
    bias: Tensor,
    eps: float = 1e-5,
    dropout_p: float = 0.0,
    seed: int | Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """``sum = residual + dropout(x)`` and its layer norm.

    Args:
        x: ``[..., columns]``, float32, bfloat16 or float64; the sub-layer's output.
        residual: the shape and type of ``x``.
        weight: ``[columns]``, of the type of ``x``, or float32 beside bfloat16 rows.
        bias: ``[columns]``, of the type of ``weight``.
        eps: added to the biased variance.
        dropout_p: probability with which an element of ``x`` is dropped.
        seed: of the dropout bits; drawn from torch's CPU generator when None.

    Returns:
        ``(normalized, sum)``, both of the shape and type of ``x``; ``normalized`` is the layer
        norm of ``sum`` as it is returned.

    Raises:
        ValueError: if shapes, types or devices disagree, ``eps`` is not positive, or
            ``dropout_p`` is not at least 0 and below 1.
    """
    normalized, total, _, _ = library.add_layer_norm(
        autocast(x), autocast(residual), weight, bias, eps, dropout_p, seed_tensor(dropout_p, seed)
    )
    return normalized, total


@register_fake("add_layer_norm")
def _fake(
    x: Tensor,
    residual: Tensor,
    weight: Tensor,
    bias: Tensor,
    eps: float,
    dropout_p: float,
    seed: Tensor | None,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    return x.new_empty(x.shape), x.new_empty(x.shape), statistics_like(x), statistics_like(x)


@register_fake("add_layer_norm_backward")
def _backward_fake(
    grad_out: Tensor,
    grad_sum: Tensor | None,
    sum: Tensor,
    weight: Tensor,
    mean: Tensor,
    rstd: Tensor,
    dropout_p: float,
    seed: Tensor | None,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    return (
        sum.new_empty(sum.shape),
        sum.new_empty(sum.shape if drops(dropout_p) else (0,)),
        weight.new_empty(weight.shape),
        weight.new_empty(weight.shape),
    )
