"""The arguments that the ops of attention share, as the schemas take them."""

from __future__ import annotations

import math
from typing import NamedTuple

from torch import Tensor

from pytransformer.ops.dropout import seed_tensor


class Arguments(NamedTuple):
    """The tail of every attention schema, in its order."""

    cu_seqlens_q: Tensor | None
    cu_seqlens_k: Tensor | None
    max_seqlen_q: int
    max_seqlen_k: int
    causal: bool
    window_left: int
    window_right: int
    mask: Tensor | None
    scale: float
    dropout_p: float
    seed: Tensor | None


def make_arguments(
    op: str,
    head_dim: int,
    cu_seqlens_q: Tensor | None,
    cu_seqlens_k: Tensor | None,
    max_seqlen_q: int | None,
    max_seqlen_k: int | None,
    causal: bool,
    window: tuple[int, int] | None,
    mask: Tensor | None,
    scale: float | None,
    dropout_p: float,
    seed: int | Tensor | None,
) -> Arguments:
    """Fill in defaults; check what only Python can see.

    Raises:
        ValueError: for a negative window or length, or a mask that requires grad.
    """
    left, right = (-1, -1) if window is None else _bounds(op, window)
    for name, given in (("max_seqlen_q", max_seqlen_q), ("max_seqlen_k", max_seqlen_k)):
        if given is not None and given < 0:
            raise ValueError(f"{op}: {name} is {given}; it must be at least 0, or None")
    if mask is not None and mask.requires_grad:
        raise ValueError(f"{op}: mask requires grad, but no gradient is computed for it; detach it")
    return Arguments(
        cu_seqlens_q,
        cu_seqlens_k,
        -1 if max_seqlen_q is None else max_seqlen_q,
        -1 if max_seqlen_k is None else max_seqlen_k,
        causal,
        left,
        right,
        mask,
        1.0 / math.sqrt(max(head_dim, 1)) if scale is None else scale,
        dropout_p,
        seed_tensor(dropout_p, seed),
    )


def _bounds(op: str, window: tuple[int, int]) -> tuple[int, int]:
    try:
        left, right = window
        valid = left >= 0 and right >= 0
    except (TypeError, ValueError):  # no pair, or no numbers
        valid = False
    if not valid:
        raise ValueError(
            f"{op}: window is {window}; give (left, right), both integers and at least 0"
        )
    return left, right
