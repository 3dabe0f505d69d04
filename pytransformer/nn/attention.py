"""Multi-head attention (section 3.2.2) over packed rows, and one step at a time over caches."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from pytransformer import ops
from pytransformer.nn.linear import Linear
from pytransformer.packed import Packed


@dataclass
class KeyValueCache:
    """What self-attention has seen: both ``[rows, max_length, heads, head_dim]``."""

    keys: Tensor
    values: Tensor

    def reorder(self, rows: Tensor, length: int) -> None:
        """Let row ``r`` continue row ``rows[r]``; the first ``length`` positions are filled."""
        for cache in (self.keys, self.values):
            cache[:, :length] = cache[:, :length].index_select(0, rows)

    def select(self, rows: Tensor, length: int) -> KeyValueCache:
        """Caches of the given rows alone, with the same room; ``length`` positions are filled."""
        return KeyValueCache(
            _select_filled(self.keys, rows, length), _select_filled(self.values, rows, length)
        )


@dataclass(frozen=True)
class ProjectedMemory:
    """Keys and values of the rows that cross-attention looks at, and their boundaries.

    Attributes:
        kv: ``[rows, 2 * d_model]``, keys beside values.
        cu_seqlens, max_seqlen: as in ``Packed``.
    """

    kv: Tensor
    cu_seqlens: Tensor
    max_seqlen: int

    def select(self, rows: Tensor, cu_seqlens: Tensor, max_seqlen: int) -> ProjectedMemory:
        """The given rows alone, with their new boundaries."""
        return ProjectedMemory(self.kv.index_select(0, rows), cu_seqlens, max_seqlen)


class SelfAttention(nn.Module):
    """Rows attend to the rows of their own sequence."""

    def __init__(self, d_model: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.dropout = dropout
        self.qkv = Linear(d_model, 3 * d_model, blocks=3)
        self.out = Linear(d_model, d_model)

    def forward(
        self, x: Tensor, cu_seqlens: Tensor, max_seqlen: int, *, causal: bool = False
    ) -> Tensor:
        """``[rows, d_model] -> [rows, d_model]``."""
        mixed = ops.multi_head_attention(
            self.qkv(x),  # [rows, 3 * d_model]
            heads=self.heads,
            cu_seqlens_q=cu_seqlens,
            max_seqlen_q=max_seqlen,
            causal=causal,
            dropout_p=self.dropout if self.training else 0.0,
        )
        return self.out(mixed)

    def new_cache(self, rows: int, max_length: int, like: Tensor) -> KeyValueCache:
        """Room for ``max_length`` positions of each row, in the dtype and on the device of
        ``like [..., d_model]``."""
        shape = (rows, max_length, self.heads, like.shape[-1] // self.heads)
        return KeyValueCache(like.new_empty(shape), like.new_empty(shape))

    def step(self, x: Tensor, cache: KeyValueCache, position: int) -> Tensor:
        """One further row of every sequence: ``[rows, d_model] -> [rows, d_model]``.

        Its key and value are written to ``cache`` at ``position``.
        """
        qkv = self.qkv(x).unflatten(1, (3, self.heads, -1))
        q, k, v = qkv.unbind(1)  # each [rows, heads, head_dim]
        cache.keys[:, position] = k
        cache.values[:, position] = v
        seen = position + 1
        # q [rows, 1, heads, head_dim] against the filled part of the cache
        mixed = ops.attention(q[:, None], cache.keys[:, :seen], cache.values[:, :seen])
        return self.out(mixed.reshape(x.shape))


class CrossAttention(nn.Module):
    """Rows of one batch attend to the rows of the same sequence in another."""

    def __init__(self, d_model: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.dropout = dropout
        self.q = Linear(d_model, d_model)
        self.kv = Linear(d_model, 2 * d_model, blocks=2)
        self.out = Linear(d_model, d_model)

    def project(self, memory: Packed) -> ProjectedMemory:
        """What ``forward`` attends to; computed once for a batch that is decoded step by step."""
        return ProjectedMemory(self.kv(memory.values), memory.cu_seqlens, memory.max_seqlen)

    def forward(
        self, x: Tensor, cu_seqlens: Tensor, max_seqlen: int, memory: ProjectedMemory
    ) -> Tensor:
        """``[rows, d_model] -> [rows, d_model]``."""
        mixed = ops.multi_head_attention(
            self.q(x),
            memory.kv,
            heads=self.heads,
            cu_seqlens_q=cu_seqlens,
            cu_seqlens_k=memory.cu_seqlens,
            max_seqlen_q=max_seqlen,
            max_seqlen_k=memory.max_seqlen,
            dropout_p=self.dropout if self.training else 0.0,
        )
        return self.out(mixed)


def _select_filled(cache: Tensor, rows: Tensor, length: int) -> Tensor:
    selected = cache.new_empty(rows.shape[0], *cache.shape[1:])
    selected[:, :length] = cache[:, :length].index_select(0, rows)
    return selected
