"""Layer norm (Ba, Kiros and Hinton 2016)."""

from __future__ import annotations

from torch import Tensor

from pytransformer.ops.native import library, register_fake
from pytransformer.precision import compute_dtype


def layer_norm(x: Tensor, weight: Tensor, bias: Tensor, eps: float = 1e-5) -> Tensor:
    """``(x - mean) / sqrt(variance + eps) * weight + bias`` over the last dimension.

    Args:
        x: ``[..., columns]``, float32, bfloat16 or float64.
        weight: ``[columns]``, of the type of ``x``, or float32 beside bfloat16 rows.
        bias: ``[columns]``, of the type of ``weight``.
        eps: added to the biased variance.

    Returns:
        The shape and type of ``x``; statistics are float32 (float64 for float64 rows).

    Raises:
        ValueError: if shapes, types or devices disagree, or ``eps`` is not positive.
    """
    return library.layer_norm(x, weight, bias, eps)[0]


def statistics_like(x: Tensor) -> Tensor:
    """A row's mean or reciprocal standard deviation: ``[rows]``, for fake tensors."""
    return x.new_empty(x[..., 0].numel(), dtype=compute_dtype(x.dtype))


@register_fake("layer_norm")
def _fake(x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor]:
    return x.new_empty(x.shape), statistics_like(x), statistics_like(x)


@register_fake("layer_norm_backward")
def _backward_fake(
    grad: Tensor, x: Tensor, weight: Tensor, mean: Tensor, rstd: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    return x.new_empty(x.shape), weight.new_empty(weight.shape), weight.new_empty(weight.shape)
