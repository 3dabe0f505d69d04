"""Scaled dot-product attention (section 3.2 of "Attention Is All You Need"), one sequence at a
time, every query-key pair written out."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from pytransformer.precision import autocast, compute_dtype
from pytransformer.reference.dropout import (
    apply_mask,
    attention_keep,
    check_probability,
    resolve_seed,
)

Window = tuple[int, int]


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
    window: Window | None = None,
    mask: Tensor | None = None,
    scale: float | None = None,
    dropout_p: float = 0.0,
    seed: int | Tensor | None = None,
) -> Tensor:
    """``softmax(q k^T * scale) v``; arguments and result as ``pytransformer.ops.attention``."""
    q, k, v = autocast(q), autocast(k), autocast(v)
    rules = _Rules(causal, window, mask, scale, dropout_p, seed)
    outputs = []
    for index, q_rows, k_rows, v_rows in _sequences(q, k, v, cu_seqlens_q, cu_seqlens_k):
        weights, visible = rules.weights(index, q_rows, k_rows)
        products = weights[..., None] * _only(visible[..., None], v_rows[:, None])
        outputs.append(products.sum(2).transpose(0, 1))  # [heads, q, k, d] -> [q, heads, d]
    if cu_seqlens_q is None:
        return torch.stack(outputs).to(q.dtype) if outputs else torch.zeros_like(q)
    return torch.cat(outputs).to(q.dtype) if outputs else torch.zeros_like(q)


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
    window: Window | None = None,
    mask: Tensor | None = None,
    scale: float | None = None,
    dropout_p: float = 0.0,
    seed: int | Tensor | None = None,
) -> Tensor:
    """Attention of projections side by side; as ``pytransformer.ops.multi_head_attention``."""
    if kv is None:
        cu_seqlens_k = cu_seqlens_q
    parts = q.chunk(3, -1) if kv is None else (q, *kv.chunk(2, -1))
    q_heads, k_heads, v_heads = (part.unflatten(-1, (heads, -1)) for part in parts)
    return attention(
        q_heads,
        k_heads,
        v_heads,
        cu_seqlens_q=cu_seqlens_q,
        cu_seqlens_k=cu_seqlens_k,
        causal=causal,
        window=window,
        mask=mask,
        scale=scale,
        dropout_p=dropout_p,
        seed=seed,
    ).flatten(-2)


def attention_weights(
    q: Tensor,
    k: Tensor,
    *,
    cu_seqlens_q: Tensor | None = None,
    cu_seqlens_k: Tensor | None = None,
    max_seqlen_q: int | None = None,
    max_seqlen_k: int | None = None,
    causal: bool = False,
    window: Window | None = None,
    mask: Tensor | None = None,
    scale: float | None = None,
    dropout_p: float = 0.0,
    seed: int | Tensor | None = None,
) -> Tensor:
    """The weights that ``attention`` multiplies ``v`` with; zero beyond a sequence's end.

    Returns:
        ``[batch, heads, max_seqlen_q, max_seqlen_k]`` in the dtype of ``q``.
    """
    q, k = autocast(q), autocast(k)
    rules = _Rules(causal, window, mask, scale, dropout_p, seed)
    longest_q = _longest(q, cu_seqlens_q, max_seqlen_q)
    longest_k = _longest(k, cu_seqlens_k, max_seqlen_k)
    results = []
    for index, q_rows, k_rows, _ in _sequences(q, k, k, cu_seqlens_q, cu_seqlens_k):
        weights, _ = rules.weights(index, q_rows, k_rows)
        missing = (0, longest_k - weights.shape[2], 0, longest_q - weights.shape[1])
        results.append(torch.nn.functional.pad(weights, missing))
    if not results:
        return q.new_zeros(0, q.shape[-2], longest_q, longest_k)
    return torch.stack(results).to(q.dtype)


@dataclass(frozen=True)
class _Rules:
    """Who sees whom, and what happens to the weights."""

    causal: bool
    window: Window | None
    mask: Tensor | None
    scale: float | None
    dropout_p: float
    seed: int | Tensor | None

    def __post_init__(self) -> None:
        check_probability(self.dropout_p)
        if self.mask is not None and self.mask.requires_grad:
            raise ValueError("mask requires grad; attention gives it none, pass mask.detach()")
        if self.dropout_p > 0.0:  # one seed for all sequences of the call
            object.__setattr__(self, "seed", resolve_seed(self.seed))

    def weights(self, index: int, q: Tensor, k: Tensor) -> tuple[Tensor, Tensor]:
        """Weights of sequence ``index`` and who is visible: both ``[heads, len_q, len_k]``.

        Hidden slots are replaced before the product, not after it: autograd would otherwise
        multiply a zero gradient with whatever they hold.
        """
        heads, len_q, width = q.shape
        len_k = k.shape[1]
        added, visible = self._mask(index, heads, len_q, len_k, q)
        pairs = visible[..., None]
        products = _only(pairs, q[:, :, None]) * _only(pairs, k[:, None])  # [heads, q, k, d]
        scale = 1.0 / math.sqrt(width) if self.scale is None else self.scale
        scores = products.sum(-1) * scale + added
        scores = scores.masked_fill(~visible, -math.inf)
        # A row that sees nothing would be 0 / 0.
        scores = scores.masked_fill(~visible.any(-1, keepdim=True), 0.0)
        weights = _only(visible, scores.softmax(-1))
        if self.dropout_p > 0.0:
            assert isinstance(self.seed, int)
            keep = attention_keep(index, heads, len_q, len_k, self.dropout_p, self.seed, q.device)
            weights = apply_mask(weights, keep, self.dropout_p)
        return weights, visible

    def _mask(
        self, index: int, heads: int, len_q: int, len_k: int, q: Tensor
    ) -> tuple[Tensor, Tensor]:
        """What is added to the scores, and who is visible: both ``[heads, len_q, len_k]``."""
        query = torch.arange(len_q, device=q.device)[:, None]
        key = torch.arange(len_k, device=q.device)[None, :]
        diagonal = query + (len_k - len_q)
        visible = torch.ones(heads, len_q, len_k, dtype=torch.bool, device=q.device)
        if self.causal:
            visible = visible & (key <= diagonal)
        if self.window is not None:
            left, right = (min(bound, len_q + len_k) for bound in self.window)  # no overflow
            visible = visible & (key >= diagonal - left) & (key <= diagonal + right)
        added = torch.zeros_like(visible, dtype=q.dtype)
        if self.mask is not None:
            mask = _of_sequence(self.mask, index, heads, len_q, len_k)
            if mask.dtype == torch.bool:
                visible = visible & mask
            else:
                visible = visible & (mask != -math.inf)
                added = _only(visible, mask.to(q.dtype))
        return added, visible


def _only(keep: Tensor, x: Tensor) -> Tensor:
    return torch.where(keep, x, torch.zeros((), dtype=x.dtype, device=x.device))


def _of_sequence(mask: Tensor, index: int, heads: int, len_q: int, len_k: int) -> Tensor:
    """``mask``, which broadcasts to ``[batch, heads, max_q, max_k]``, for one sequence."""
    mask = mask[(None,) * (4 - mask.dim())]
    mask = mask[index if mask.shape[0] > 1 else 0]
    mask = mask[:, : len_q if mask.shape[1] > 1 else 1, : len_k if mask.shape[2] > 1 else 1]
    return mask.expand(heads, len_q, len_k)


def _sequences(
    q: Tensor, k: Tensor, v: Tensor, cu_seqlens_q: Tensor | None, cu_seqlens_k: Tensor | None
) -> Iterator[tuple[int, Tensor, Tensor, Tensor]]:
    """Each sequence's number and its q, k, v as ``[heads, length, head_dim]``, to compute with."""
    if (cu_seqlens_q is None) != (cu_seqlens_k is None):
        given = "cu_seqlens_k" if cu_seqlens_q is None else "cu_seqlens_q"
        raise ValueError(f"only {given} is given; give both cu_seqlens_q and cu_seqlens_k, or none")
    dtype = compute_dtype(q.dtype)
    per_sequence = zip(
        _split(q, cu_seqlens_q), _split(k, cu_seqlens_k), _split(v, cu_seqlens_k), strict=True
    )
    for index, parts in enumerate(per_sequence):
        q_rows, k_rows, v_rows = (part.to(dtype).transpose(0, 1) for part in parts)
        yield index, q_rows, k_rows, v_rows


def _split(x: Tensor, cu_seqlens: Tensor | None) -> tuple[Tensor, ...]:
    if cu_seqlens is None:
        return x.unbind(0)
    return x.split((cu_seqlens[1:] - cu_seqlens[:-1]).tolist())


def _longest(x: Tensor, cu_seqlens: Tensor | None, given: int | None) -> int:
    if cu_seqlens is None:
        return x.shape[1]
    if given is not None:
        return given
    return max((cu_seqlens[1:] - cu_seqlens[:-1]).tolist(), default=0)
