"""Output projection and cross-entropy in one, without the logits in memory."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from pytransformer.ops.native import check_first_derivative, library, register_fake
from pytransformer.precision import autocast, compute_dtype


def linear_cross_entropy(
    x: Tensor,
    weight: Tensor,
    targets: Tensor,
    bias: Tensor | None = None,
    label_smoothing: float = 0.0,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """``torch.nn.functional.cross_entropy(x weight^T + bias, targets, ...)``, chunk by chunk.

    Args:
        x: ``[rows, columns]``, float32, bfloat16 or float64; autocast as ``linear``.
        weight: ``[vocabulary, columns]``; of the type of ``x``, or float32 beside bfloat16 rows.
        targets: int64 ``[rows]``, each below ``vocabulary``, or ``ignore_index``.
        bias: ``[vocabulary]``, of the type of ``weight``, or None.
        label_smoothing: share of the target that is spread over the whole vocabulary
            (Szegedy et al. 2016, section 7), as torch does.
        ignore_index: the target of rows that do not count.
        reduction: ``mean`` over the rows that count (NaN when there are none), ``sum``, or
            ``none``: one loss a row, 0 where ignored.

    Returns:
        float32 (float64 for float64 rows): ``[]``, or ``[rows]`` with ``none``.

    Raises:
        ValueError: if shapes, types or devices disagree, a target is out of range,
            ``label_smoothing`` is not between 0 and 1, or ``reduction`` is unknown.
    """
    parameters = (weight,) if bias is None else (weight, bias)
    gradients = torch.is_grad_enabled() and any(t.requires_grad for t in (x, *parameters))
    return library.linear_cross_entropy(
        autocast(x), weight, targets, bias, label_smoothing, ignore_index, reduction, gradients
    )[0]


def _gradients_like(
    x: Tensor, weight: Tensor, bias: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    return (
        x.new_empty(x.shape),
        weight.new_empty(weight.shape),
        weight.new_empty((0,)) if bias is None else bias.new_empty(bias.shape),
    )


@register_fake("linear_cross_entropy")
def _fake(
    x: Tensor,
    weight: Tensor,
    targets: Tensor,
    bias: Tensor | None,
    label_smoothing: float,
    ignore_index: int,
    reduction: str,
    gradients: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    shape = targets.shape if reduction == "none" else ()
    loss = x.new_empty(shape, dtype=compute_dtype(x.dtype))
    if gradients and reduction != "none":
        return loss, *_gradients_like(x, weight, bias)
    return loss, x.new_empty((0,)), weight.new_empty((0,)), weight.new_empty((0,))


@register_fake("linear_cross_entropy_backward")
def _backward_fake(
    grad: Tensor,
    x: Tensor,
    weight: Tensor,
    targets: Tensor,
    bias: Tensor | None,
    label_smoothing: float,
    ignore_index: int,
) -> tuple[Tensor, Tensor, Tensor]:
    return _gradients_like(x, weight, bias)


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    x, weight, targets, bias, label_smoothing, ignore_index, reduction, _ = inputs
    ctx.mark_non_differentiable(*output[1:])
    ctx.set_materialize_grads(False)
    ctx.reduction, ctx.has_bias = reduction, bias is not None
    if reduction == "none":
        ctx.save_for_backward(x, weight, targets, bias)
        ctx.label_smoothing, ctx.ignore_index = label_smoothing, ignore_index
    else:
        ctx.save_for_backward(*output[1:])


def _backward(ctx: Any, grad: Tensor | None, *_: Tensor | None) -> tuple[Tensor | None, ...]:
    check_first_derivative("linear_cross_entropy")
    if grad is None:
        return (None,) * 8
    if ctx.reduction == "none":
        x, weight, targets, bias = ctx.saved_tensors
        grad_x, grad_weight, grad_bias = library.linear_cross_entropy_backward(
            grad, x, weight, targets, bias, ctx.label_smoothing, ctx.ignore_index
        )
    else:
        grad_x, grad_weight, grad_bias = (saved * grad for saved in ctx.saved_tensors)
    return grad_x, grad_weight, None, grad_bias if ctx.has_bias else None, None, None, None, None


torch.library.register_autograd(
    "pytransformer::linear_cross_entropy", _backward, setup_context=_setup_context
)
