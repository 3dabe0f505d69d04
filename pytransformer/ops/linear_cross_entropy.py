"""Output projection and cross-entropy in one, without the logits in memory."""

from __future__ import annotations

import torch
from torch import Tensor

from pytransformer.ops.native import library, register_fake
from pytransformer.precision import autocast, compute_dtype


def linear_cross_entropy(
    x: Tensor,
    weight: Tensor,
    targets: Tensor,
    bias: Tensor | None = None,
    label_smoothing: float = 0.0,
    ignore_index: int = -100,
    reduction: str = "mean",
    classes: int | None = None,
) -> Tensor:
    """``torch.nn.functional.cross_entropy(x weight^T + bias, targets, ...)``, chunk by chunk.

    Args:
        x: ``[rows, columns]``, float32, bfloat16 or float64; autocast as ``linear``.
        weight: ``[vocabulary, columns]``; of the type of ``x``, or float32 beside bfloat16 rows.
        targets: int64 ``[rows]``, each below ``classes``, or ``ignore_index``.
        bias: ``[vocabulary]``, of the type of ``weight``, or None.
        label_smoothing: share of the target that is spread over all classes
            (Szegedy et al. 2016, section 7), as torch does.
        ignore_index: the target of rows that do not count.
        reduction: ``mean`` over the rows that count (NaN when there are none), ``sum``, or
            ``none``: one loss a row, 0 where ignored.
        classes: how many rows of ``weight``, from the first on, are classes; the others have no
            score and a gradient of zero. All are when None.

    Returns:
        float32 (float64 for float64 rows): ``[]``, or ``[rows]`` with ``none``.

    Raises:
        ValueError: if shapes, types or devices disagree, a target is out of range,
            ``label_smoothing`` is not between 0 and 1, ``reduction`` is unknown, or ``weight`` has
            fewer rows than ``classes``.
    """
    if classes is not None and not 1 <= classes <= weight.shape[0]:
        raise ValueError(
            f"linear_cross_entropy: classes is {classes}; it must be at least 1 and at most "
            f"{weight.shape[0]}, the rows of weight, or None"
        )
    parameters = (weight,) if bias is None else (weight, bias)
    gradients = torch.is_grad_enabled() and any(t.requires_grad for t in (x, *parameters))
    return library.linear_cross_entropy(
        autocast(x),
        weight,
        targets,
        bias,
        label_smoothing,
        ignore_index,
        reduction,
        -1 if classes is None else classes,
        gradients,
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
    classes: int,
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
    classes: int,
) -> tuple[Tensor, Tensor, Tensor]:
    return _gradients_like(x, weight, bias)
