"""The best log-probabilities of each row: what a search over translations looks at."""

from __future__ import annotations

import torch
from torch import Tensor

from pytransformer.ops.native import library, register_fake


def top_log_probs(logits: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The ``k`` largest of ``log_softmax(logits)`` in each row, best first.

    Not differentiable. A row's result depends on that row alone.

    Args:
        logits: ``[rows, columns]``, float32, bfloat16 or float64.
        k: at least 1 and at most ``columns``.

    Returns:
        ``(values, indices)``, float32 and int64 ``[rows, k]``; equal values keep the order of
        their columns.

    Raises:
        ValueError: if ``logits`` is not a matrix of a float type, or ``k`` is out of range.
    """
    return library.top_log_probs(logits.detach(), k)


@register_fake("top_log_probs")
def _fake(logits: Tensor, k: int) -> tuple[Tensor, Tensor]:
    shape = (logits.shape[0], k)
    return logits.new_empty(shape, dtype=torch.float32), logits.new_empty(shape, dtype=torch.int64)
