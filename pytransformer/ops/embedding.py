"""Token embeddings with positions (sections 3.4 and 3.5 of "Attention Is All You Need")."""

from __future__ import annotations

import torch
from torch import Tensor

from pytransformer.ops.dropout import seed_tensor
from pytransformer.ops.native import library, register_fake


def embedding(
    tokens: Tensor,
    weight: Tensor,
    cu_seqlens: Tensor | None = None,
    *,
    max_seqlen: int | None = None,
    scale: float = 1.0,
    positions: str | Tensor | None = "sinusoidal",
    dropout_p: float = 0.0,
    seed: int | Tensor | None = None,
    padding_idx: int | None = None,
    dtype: torch.dtype | None = None,
    sparse: bool = False,
) -> Tensor:
    """``dropout(scale * weight[tokens] + positions)``.

    Args:
        tokens: int64 ``[rows]`` with ``cu_seqlens``, or ``[batch, length]`` without.
        weight: ``[vocabulary, columns]``, float32, bfloat16 or float64.
        cu_seqlens: int32 ``[batch + 1]``; positions count from 0 in each sequence.
        max_seqlen: at least the longest sequence; computed when None.
        scale: multiplies the embedding, not the position.
        positions: ``"sinusoidal"`` (the sine half, then the cosine half), a learned table
            ``[max_length, columns]``, or None.
        dropout_p: probability with which an element of the sum is dropped.
        seed: of the dropout bits; drawn from torch's CPU generator when None.
        padding_idx: a token whose row of ``weight`` receives no gradient.
        dtype: of the result; that of ``weight`` when None.
        sparse: whether the gradient of ``weight`` is a coalesced sparse tensor, with only the rows
            of tokens that occur; not under ``torch.compile``. On a CUDA device it is dense all the
            same: how many tokens occur would have to be waited for.

    Returns:
        ``[*tokens.shape, columns]``.

    Raises:
        ValueError: if shapes, types or devices disagree, a token is out of range, a sequence is
            longer than the table, or ``dropout_p`` is not at least 0 and below 1.
    """
    named = isinstance(positions, str) and positions == "sinusoidal"
    if not (named or positions is None or isinstance(positions, Tensor)):
        raise ValueError(
            f"embedding: positions is {positions!r}; give 'sinusoidal', a tensor, or None"
        )
    if padding_idx is not None and not 0 <= padding_idx < weight.shape[0]:
        raise ValueError(
            f"embedding: padding_idx is {padding_idx}; it must be a row of weight, from 0 to "
            f"{weight.shape[0] - 1}, or None"
        )
    if max_seqlen is not None and max_seqlen < 0:
        raise ValueError(f"embedding: max_seqlen is {max_seqlen}; it must be at least 0, or None")
    return library.embedding(
        tokens,
        weight,
        cu_seqlens,
        -1 if max_seqlen is None else max_seqlen,
        positions if isinstance(positions, Tensor) else None,
        named,
        scale,
        dropout_p,
        seed_tensor(dropout_p, seed),
        -1 if padding_idx is None else padding_idx,
        weight.dtype if dtype is None else dtype,
        sparse,
    )


@register_fake("embedding")
def _fake(
    tokens: Tensor,
    weight: Tensor,
    cu_seqlens: Tensor | None,
    max_seqlen: int,
    positions: Tensor | None,
    sinusoidal: bool,
    scale: float,
    dropout_p: float,
    seed: Tensor | None,
    padding_idx: int,
    dtype: torch.dtype,
    sparse: bool,
) -> Tensor:
    if sparse:
        raise ValueError("embedding: sparse is True, which torch.compile cannot trace; leave it")
    return weight.new_empty(*tokens.shape, weight.shape[1], dtype=dtype)


@register_fake("embedding_backward")
def _backward_fake(
    grad: Tensor,
    tokens: Tensor,
    weight: Tensor,
    cu_seqlens: Tensor | None,
    positions: Tensor | None,
    scale: float,
    dropout_p: float,
    seed: Tensor | None,
    padding_idx: int,
    sparse: bool,
    output_mask: list[bool],
) -> tuple[Tensor, Tensor]:
    grad_weight = weight.new_empty(weight.shape if output_mask[0] else (0,))
    if positions is None or not output_mask[1]:
        return grad_weight, weight.new_empty((0,))
    return grad_weight, positions.new_empty(positions.shape)
