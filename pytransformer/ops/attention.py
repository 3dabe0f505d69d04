"""Scaled dot-product attention (section 3.2.1 of "Attention Is All You Need")."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from pytransformer.ops.attention_arguments import (
    make_arguments,
)
from pytransformer.ops.native import library, register_fake
from pytransformer.precision import autocast, compute_dtype


def attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
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
    """``softmax(q k^T scale) v`` for each head of each sequence.

    A query sees the keys of its own sequence, as far as ``causal``, ``window`` and ``mask`` let
    it. One that sees nothing gives exactly zero, and what a hidden key or value holds, NaN and
    infinity included, reaches nothing. Memory grows linearly with length.

    Args:
        q: ``[tokens, heads, head_dim]`` with ``cu_seqlens``, or ``[batch, length, heads,
            head_dim]`` without; float32, bfloat16 or float64, of any strides; head_dim at most
            256. Under ``torch.autocast``, float32 operands are cast to the autocast dtype.
        k: likewise; the same batch, heads and head_dim as ``q``.
        v: the shape of ``k``.
        cu_seqlens_q: int32 ``[batch + 1]``: where each sequence of ``q`` begins and ends.
        cu_seqlens_k: likewise for ``k`` and ``v``; both are given, or neither.
        max_seqlen_q: at least the longest sequence of ``q``; computed when None.
        max_seqlen_k: likewise for ``k``.
        causal: query ``i`` sees keys up to ``i + len_k - len_q``: aligned at the end.
        window: ``(left, right)``, both inclusive, around that diagonal.
        mask: bool (True where visible) or float (added to the scaled scores; -inf hides);
            broadcasts to ``[batch, heads, max_q, max_k]``, indices inside each sequence.
        scale: ``head_dim ** -0.5`` when None.
        dropout_p: probability with which a weight is dropped.
        seed: of the dropout bits; drawn from torch's CPU generator when None.

    Returns:
        The shape and type of ``q``; softmax and sums in float32 (float64 for float64).

    Raises:
        ValueError: if shapes, types or devices disagree, ``cu_seqlens`` does not run from 0 to
            the number of rows without a decrease, a bound is out of range, or ``mask`` requires
            grad.
    """
    q, k, v = autocast(q), autocast(k), autocast(v)
    arguments = make_arguments(
        "attention",
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
    return library.attention(q, k, v, *arguments)[0]


@register_fake("attention")
def _fake(q: Tensor, k: Tensor, v: Tensor, *arguments: Any) -> tuple[Tensor, Tensor]:
    shape = (2, q.shape[-2], q[..., 0, 0].numel())
    return q.new_empty(q.shape), q.new_empty(shape, dtype=compute_dtype(q.dtype))


@register_fake("attention_backward")
def _backward_fake(
    grad: Tensor, q: Tensor, k: Tensor, v: Tensor, *arguments: Any
) -> tuple[Tensor, Tensor, Tensor]:
    return q.new_empty(q.shape), k.new_empty(k.shape), v.new_empty(v.shape)
