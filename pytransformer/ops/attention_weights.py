"""The weights of scaled dot-product attention themselves."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from pytransformer.ops.attention_arguments import (
    Arguments,
    make_arguments,
)
from pytransformer.ops.native import library, register_fake
from pytransformer.precision import autocast


def attention_weights(
    q: Tensor,
    k: Tensor,
    *,
    cu_seqlens_q: Tensor | None = None,
    cu_seqlens_k: Tensor | None = None,
    max_seqlen_q: int | None = None,
    max_seqlen_k: int | None = None,
    causal: bool = False,
    window: tuple[int, int] | None = None,
    mask: Tensor | None = None,
    scale: float | None = None,
    dropout_p: float = 0.0,
    seed: int | Tensor | None = None,
) -> Tensor:
    """``dropout(softmax(q k^T scale))``: what ``attention`` multiplies ``v`` with.

    Args, errors and the mask contract are those of ``attention``. Memory is quadratic in length,
    as the result is.

    Returns:
        ``[batch, heads, max_q, max_k]``, of the type of ``q``; 0 where hidden and beyond the end
        of a sequence.
    """
    q, k = autocast(q), autocast(k)
    if cu_seqlens_q is not None and max_seqlen_q is None:
        max_seqlen_q = _longest(cu_seqlens_q)
    if cu_seqlens_k is not None and max_seqlen_k is None:
        max_seqlen_k = _longest(cu_seqlens_k)
    arguments = make_arguments(
        "attention_weights",
        q.shape[-1] if q.dim() else 1,
        cu_seqlens_q,
        cu_seqlens_k,
        max_seqlen_q,
        max_seqlen_k,
        causal,
        window,
        mask,
        scale,
        dropout_p,
        seed,
    )
    return library.attention_weights(q, k, *arguments)


def _longest(cu_seqlens: Tensor) -> int | None:
    """The shape of the result depends on it; what is no boundary list is left for the checks."""
    if cu_seqlens.dim() != 1 or cu_seqlens.numel() < 2:
        return None
    return max(int((cu_seqlens[1:] - cu_seqlens[:-1]).max()), 0)


@register_fake("attention_weights")
def _fake(q: Tensor, k: Tensor, *arguments: Any) -> Tensor:
    given = Arguments(*arguments)
    if given.cu_seqlens_q is None:
        return q.new_empty(q.shape[0], q.shape[2], q.shape[1], k.shape[1])
    batch = given.cu_seqlens_q.shape[0] - 1
    return q.new_empty(batch, q.shape[1], given.max_seqlen_q, given.max_seqlen_k)


@register_fake("attention_weights_backward")
def _backward_fake(grad: Tensor, q: Tensor, k: Tensor, *arguments: Any) -> tuple[Tensor, Tensor]:
    return q.new_empty(q.shape), k.new_empty(k.shape)
