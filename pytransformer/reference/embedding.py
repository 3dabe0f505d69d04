"""Scaled embeddings plus positions (sections 3.4 and 3.5)."""

from __future__ import annotations

import torch
from torch import Tensor

from pytransformer.positions import sinusoids
from pytransformer.precision import compute_dtype
from pytransformer.reference.dropout import row_dropout


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
    """``dropout(weight[token] * scale + position)``.

    Args:
        tokens: int64 ``[rows]`` with ``cu_seqlens``, or ``[batch, length]`` without.
        weight: ``[vocabulary, d]``.
        cu_seqlens: int32 ``[batch + 1]``; positions count from 0 in each sequence.
        max_seqlen: not needed here.
        scale: multiplies the embedding, not the position.
        positions: ``"sinusoidal"``, a learned table ``[max_length, d]``, or None.
        dropout_p: probability of zeroing an element of the sum.
        seed: of the dropout mask; drawn from torch's CPU generator when None.
        padding_idx: a token whose row of ``weight`` receives no gradient.
        dtype: of the result; that of ``weight`` when None.
        sparse: whether the gradient of ``weight`` is a sparse tensor.
    """
    dtype = weight.dtype if dtype is None else dtype
    if tokens.dim() != (2 if cu_seqlens is None else 1):
        raise ValueError(
            f"tokens has shape {tuple(tokens.shape)}; expected [rows] with cu_seqlens or "
            "[batch, length] without"
        )
    if tokens.numel() and not 0 <= int(tokens.min()) <= int(tokens.max()) < weight.shape[0]:
        raise ValueError(
            f"tokens lie between {int(tokens.min())} and {int(tokens.max())}; must be from 0 to "
            f"{weight.shape[0] - 1}"
        )
    if padding_idx is not None and not 0 <= padding_idx < weight.shape[0]:
        raise ValueError(
            f"padding_idx = {padding_idx}: must be from 0 to {weight.shape[0] - 1}, or None"
        )
    compute = compute_dtype(weight.dtype)
    table = weight.to(compute)
    rows = torch.nn.functional.embedding(tokens, table, padding_idx, sparse=sparse) * scale
    if positions is not None:
        index = _index_in_sequence(tokens, cu_seqlens)
        rows = rows + _table(positions, index, weight.shape[1]).to(compute)[index]
    return row_dropout(rows, dropout_p, seed).to(dtype)


def _index_in_sequence(tokens: Tensor, cu_seqlens: Tensor | None) -> Tensor:
    """int64, shaped to broadcast with ``tokens``: each token's distance from its beginning."""
    if cu_seqlens is None:
        return torch.arange(tokens.shape[1], device=tokens.device).expand(tokens.shape)
    starts, ends = cu_seqlens[:-1].long(), cu_seqlens[1:].long()
    row = torch.arange(tokens.shape[0], device=tokens.device)
    return row - starts.repeat_interleave(ends - starts)


def _table(positions: str | Tensor, index: Tensor, width: int) -> Tensor:
    """``[at least the longest sequence, width]``."""
    longest = int(index.max()) + 1 if index.numel() else 0
    if isinstance(positions, str):
        if positions != "sinusoidal":
            raise ValueError(f"positions = {positions!r}: must be 'sinusoidal', a tensor, or None")
        return sinusoids(longest, width, index.device)
    if longest > positions.shape[0]:
        raise ValueError(
            f"the longest sequence has {longest} tokens, but positions has "
            f"{positions.shape[0]} rows"
        )
    return positions
