"""The best scores of a row, as log-probabilities."""

from __future__ import annotations

import torch
from torch import Tensor

from pytransformer.precision import compute_dtype


@torch.no_grad()
def top_log_probs(logits: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The ``k`` largest of ``log_softmax(logits)`` in each row, best first.

    Equal logits keep the order of their ids. Not differentiable.

    Args:
        logits: ``[rows, columns]``.
        k: from 1 to ``columns``.

    Returns:
        ``(values, indices)``: float32 and int64, both ``[rows, k]``.
    """
    if not 1 <= k <= logits.shape[-1]:
        raise ValueError(f"k = {k}: must be from 1 to {logits.shape[-1]}, the columns of logits")
    best, indices = torch.sort(logits, dim=-1, descending=True, stable=True)
    dtype = compute_dtype(logits.dtype)
    total = torch.logsumexp(logits.to(dtype), dim=-1, keepdim=True)
    return (best[:, :k].to(dtype) - total).to(torch.float32), indices[:, :k].contiguous()
