"""A linear layer over rows."""

from __future__ import annotations

from torch import Tensor

from pytransformer.ops.native import library, register_fake
from pytransformer.precision import autocast

Gradients = tuple[Tensor | None, ...]


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """``x weight^T + bias``.

    Args:
        x: ``[..., in]``, float32, bfloat16 or float64. Under ``torch.autocast``, float32 rows are
            first cast to the autocast dtype.
        weight: ``[out, in]``, of the type of ``x``, or float32 beside bfloat16 rows: its elements
            are then rounded to bfloat16, and its gradient is float32.
        bias: ``[out]``, of the type of ``weight``; not rounded.

    Returns:
        ``[..., out]``, of the type of ``x``; accumulated in float32 (float64 for float64 rows).

    Raises:
        ValueError: if shapes, types or devices disagree.
    """
    return library.linear(autocast(x), weight, bias)


@register_fake("linear")
def _fake(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    return x.new_empty(*x.shape[:-1], weight.shape[0])


@register_fake("linear_backward")
def _backward_fake(
    grad: Tensor, x: Tensor, weight: Tensor, output_mask: list[bool]
) -> tuple[Tensor, Tensor, Tensor]:
    return (
        x.new_empty(x.shape if output_mask[0] else (0,)),
        weight.new_empty(weight.shape if output_mask[1] else (0,)),
        weight.new_empty(weight.shape[:1] if output_mask[2] else (0,)),
    )
