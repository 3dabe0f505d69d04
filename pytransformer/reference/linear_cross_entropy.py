"""The output projection and the label-smoothed cross-entropy of its scores (section 5.4)."""

from __future__ import annotations

import torch
from torch import Tensor

from pytransformer.precision import autocast, compute_dtype, rounded
from pytransformer.reference.linear import project


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
    """``torch.nn.functional.cross_entropy(x weight^T + bias, targets, ...)``.

    Shapes: ``x [rows, d]``, ``weight [vocabulary, d]``, ``targets`` int64 ``[rows]``. A row whose
    target is ``ignore_index`` adds no loss and receives no gradient. The mean is over the other
    rows (NaN when there are none). Only the first ``classes`` rows of ``weight`` have a score.

    Returns:
        float32 (float64 for float64 rows): a scalar, or ``[rows]`` for ``reduction="none"``.
    """
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"reduction = {reduction!r}: must be one of mean, sum, none")
    if not 0.0 <= label_smoothing <= 1.0:
        raise ValueError(f"label_smoothing = {label_smoothing}: must be between 0 and 1")
    if classes is not None:
        if not 1 <= classes <= weight.shape[0]:
            raise ValueError(f"classes = {classes}: must be from 1 to {weight.shape[0]}, or None")
        weight, bias = weight[:classes], None if bias is None else bias[:classes]
    x = autocast(x)
    dtype = compute_dtype(x.dtype)
    counted = targets != ignore_index
    wrong = counted & ((targets < 0) | (targets >= weight.shape[0]))
    if bool(wrong.any()):
        raise ValueError(
            f"targets holds {int(targets[wrong][0])}; must be ignore_index = {ignore_index} or "
            f"from 0 to {weight.shape[0] - 1}"
        )
    zero = torch.zeros((), dtype=dtype, device=x.device)
    rows = torch.where(counted[:, None], x.to(dtype), zero)
    log_probs = project(rows, rounded(weight, x), bias).log_softmax(-1)  # [rows, vocabulary]
    chosen = torch.where(counted, targets, 0)[:, None]
    hard = -log_probs.gather(1, chosen)[:, 0]
    soft = -log_probs.mean(-1)
    losses = (1.0 - label_smoothing) * hard + label_smoothing * soft
    losses = torch.where(counted, losses, zero)
    if reduction == "none":
        return losses
    return losses.sum() / counted.sum() if reduction == "mean" else losses.sum()
