"""Multi-head attention between its projections (section 3.2.2 of "Attention Is All You Need")."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from pytransformer.ops.attention_arguments import make_arguments
from pytransformer.ops.native import library, register_fake
from pytransformer.precision import autocast, compute_dtype


def multi_head_attention(
    q: Tensor,
    kv: Tensor | None = None,
    *,
    heads: int,
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
    """``attention`` of what one projection yields side by side, its heads side by side again.

    The same numbers as ``attention`` on slices gives, without slicing: gradients are written where
    the projection expects them.

    Args:
        q: queries, keys and values of self-attention, ``[tokens, 3 * width]`` with ``cu_seqlens``
            or ``[batch, length, 3 * width]`` without; float32, bfloat16 or float64. Beside ``kv``,
            the queries alone: ``[..., width]``. Autocast as ``attention``.
        kv: keys and values, ``[tokens, 2 * width]`` or ``[batch, length, 2 * width]``.
        heads: how many; each takes ``width / heads`` columns, at most 256.
        cu_seqlens_q: int32 ``[batch + 1]``, as in ``attention``.
        cu_seqlens_k: likewise for ``kv``; without it the keys have the boundaries of the queries.
        max_seqlen_q: as in ``attention``.
        max_seqlen_k: likewise for ``kv``; without it that of the queries.
        causal: as in ``attention``, like all that follow.
        window: which keys around the diagonal are visible.
        mask: which pairs are visible, or what is added to their scores.
        scale: of scores; ``(width / heads) ** -0.5`` when None.
        dropout_p: probability with which a weight is dropped.
        seed: of the dropout bits; drawn from torch's CPU generator when None.

    Returns:
        ``[..., width]``, of the type of ``q``.

    Raises:
        ValueError: as ``attention``; if the columns do not divide into ``heads``, or ``kv`` has
            not twice as many as ``q``, or keys without ``kv`` have boundaries of their own.
    """
    if kv is None:
        if cu_seqlens_k is not None or max_seqlen_k is not None:
            given = "max_seqlen_k" if cu_seqlens_k is None else "cu_seqlens_k"
            raise ValueError(
                f"multi_head_attention: {given} is given without kv; the keys of q have the "
                "boundaries of its queries, so leave it out"
            )
        cu_seqlens_k, max_seqlen_k = cu_seqlens_q, max_seqlen_q
    q, kv = autocast(q), None if kv is None else autocast(kv)
    arguments = make_arguments(
        "multi_head_attention",
        _width(q, kv) // max(heads, 1),
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
    return library.multi_head_attention(q, kv, heads, *arguments)[0]


def _width(q: Tensor, kv: Tensor | None) -> int:
    """Columns of the queries alone; what is no matrix is left for the checks."""
    columns = q.shape[-1] if q.dim() else 1
    return columns // 3 if kv is None else columns


@register_fake("multi_head_attention")
def _fake(q: Tensor, kv: Tensor | None, heads: int, *arguments: Any) -> tuple[Tensor, Tensor]:
    out = q.new_empty(*q.shape[:-1], _width(q, kv))
    shape = (2, heads, q[..., 0].numel())
    return out, q.new_empty(shape, dtype=compute_dtype(q.dtype))


@register_fake("multi_head_attention_backward")
def _backward_fake(
    grad: Tensor, q: Tensor, kv: Tensor | None, *arguments: Any
) -> tuple[Tensor, Tensor]:
    return q.new_empty(q.shape), q.new_empty((0,) if kv is None else kv.shape)
