"""Awkward calls of attention, as data. The tests run them all, the benchmarks take from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from tests.cases.call import Call
from tests.cases.layout import arrange, generator, normal

MaskKind = Literal["boolean", "additive", "infinite", "lowest", "rows", "columns"]


@dataclass(frozen=True)
class AttentionCase:
    """One call.

    Attributes:
        name: of the test.
        lengths_q, lengths_k: of the sequences.
        dense: ``[batch, length, heads, head_dim]`` instead of packed rows.
        fused: q, k and v are slices of one tensor, as a fused projection gives them.
        layout: of q, k and v, when not fused; see ``tests.cases.layout``.
        mask: what kind, if any. ``infinite`` is additive with -inf here and there; ``lowest`` has
            the lowest finite number there and for every key of some queries, which hides nothing;
            ``rows`` and ``columns`` are boolean and hide whole queries or whole keys.
        mask_dims: which of batch, heads, queries and keys the mask spans; it broadcasts over the
            others, and is given with fewer dimensions where leading ones are missing.
        poison: NaN and infinities in every key that nobody sees, and NaN in every query that sees
            nothing and in its cotangent.
    """

    name: str
    lengths_q: tuple[int, ...] = (5, 1, 7)
    lengths_k: tuple[int, ...] = (5, 1, 7)
    heads: int = 2
    head_dim: int = 16
    dense: bool = False
    fused: bool = False
    layout: str = "contiguous"
    causal: bool = False
    window: tuple[int, int] | None = None
    mask: MaskKind | None = None
    mask_dims: str = "bhqk"
    scale: float | None = None
    dropout_p: float = 0.0
    poison: bool = False

    def build(self, dtype: torch.dtype, seed: int = 0) -> Call:
        """q, k, v, and the options of the call."""
        rng = generator(seed)
        q, k, v = self._rows(rng, dtype)
        mask = self._mask(rng, dtype)
        cotangent = normal(tuple(q.shape), rng, torch.bfloat16).to(dtype)
        if self.poison:
            _poison(self, q, k, v, cotangent, mask)
        options: dict[str, Any] = dict(causal=self.causal, window=self.window, scale=self.scale)
        if not self.dense:
            options |= dict(
                cu_seqlens_q=boundaries(self.lengths_q), cu_seqlens_k=boundaries(self.lengths_k)
            )
        if mask is not None:
            options["mask"] = mask
        if self.dropout_p:
            options |= dict(dropout_p=self.dropout_p, seed=1234567890123456789)
        length = max(*self.lengths_q, *self.lengths_k, self.head_dim)
        return Call(dict(q=q, k=k, v=v), options, length, self._natural_size(), (cotangent,))

    def _natural_size(self) -> float:
        """Of gradients, before their terms cancel; they do so wholly where one key is seen.

        A derivative of a score is of the order of ``scale * sqrt(head_dim)``, dropout enlarges
        it, and a key adds up those of all queries that give it their whole weight.
        """
        scale = self.head_dim**-0.5 if self.scale is None else self.scale
        crowd = max(
            len_q / max(len_k, 1)
            for len_q, len_k in zip(self.lengths_q, self.lengths_k, strict=True)
        )
        score = max(1.0, scale * self.head_dim**0.5) / (1.0 - self.dropout_p)
        return 2.0 * score * max(1.0, crowd) ** 0.5

    def _rows(self, rng: torch.Generator, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
        tail = (self.heads, self.head_dim)
        if self.fused:
            fused = normal((*self._leading(self.lengths_q), 3, *tail), rng, dtype)
            q, k, v = fused.unbind(-3)
            return q, k, v
        q = normal((*self._leading(self.lengths_q), *tail), rng, dtype)
        k = normal((*self._leading(self.lengths_k), *tail), rng, dtype)
        v = normal((*self._leading(self.lengths_k), *tail), rng, dtype)
        return arrange(q, self.layout), arrange(k, self.layout), arrange(v, self.layout)

    def _leading(self, lengths: tuple[int, ...]) -> tuple[int, ...]:
        return (len(lengths), lengths[0]) if self.dense else (sum(lengths),)

    def _mask(self, rng: torch.Generator, dtype: torch.dtype) -> Tensor | None:
        if self.mask is None:
            return None
        sizes = dict(
            b=len(self.lengths_q), h=self.heads, q=max(self.lengths_q), k=max(self.lengths_k)
        )
        shape = tuple(sizes[letter] if letter in self.mask_dims else 1 for letter in "bhqk")
        shape = shape[4 - len(self.mask_dims) :]
        if self.mask == "rows":
            return (torch.arange(shape[-2]) % 3 != 1)[:, None].expand(shape).clone()
        if self.mask == "columns":
            return (torch.arange(shape[-1]) % 3 != 0).expand(shape).clone()
        values = normal(shape, rng, dtype)
        if self.mask == "boolean":
            return values > 0
        if self.mask == "lowest":
            lowest = torch.finfo(dtype).min
            whole = (torch.arange(shape[-2]) % 3 == 1)[:, None]
            return values.masked_fill((values > 0.5) | whole, lowest)
        if self.mask == "infinite":
            return values.masked_fill(values > 0.5, float("-inf"))
        return values


def boundaries(lengths: tuple[int, ...]) -> Tensor:
    """``cu_seqlens``: int32 ``[batch + 1]``."""
    return torch.tensor([0, *lengths]).cumsum(0).to(torch.int32)


def visible(case: AttentionCase, mask: Tensor | None, index: int) -> Tensor:
    """bool ``[heads, len_q, len_k]`` of one sequence, pair by pair from the definition."""
    len_q, len_k = case.lengths_q[index], case.lengths_k[index]
    batch_shape = (len(case.lengths_q), case.heads, max(case.lengths_q), max(case.lengths_k))
    seen = torch.zeros(case.heads, len_q, len_k, dtype=torch.bool)
    for i in range(len_q):
        for j in range(len_k):
            ahead = j - (i + len_k - len_q)
            near = case.window is None or -case.window[0] <= ahead <= case.window[1]
            seen[:, i, j] = near and not (case.causal and ahead > 0)
    if mask is not None:
        here = mask.expand(batch_shape)[index, :, :len_q, :len_k]
        seen &= here if mask.dtype == torch.bool else here != float("-inf")
    return seen


def _poison(
    case: AttentionCase, q: Tensor, k: Tensor, v: Tensor, cotangent: Tensor, mask: Tensor | None
) -> None:
    starts_q, starts_k = boundaries(case.lengths_q).tolist(), boundaries(case.lengths_k).tolist()
    poisons = (float("nan"), float("inf"), float("-inf"))
    for index, (len_q, len_k) in enumerate(zip(case.lengths_q, case.lengths_k, strict=True)):
        seen = visible(case, mask, index)
        rows = (index, slice(0, len_q)) if case.dense else slice(starts_q[index], None)
        columns = (index, slice(0, len_k)) if case.dense else slice(starts_k[index], None)
        for head, j in (~seen.any(1)).nonzero().tolist():
            k[columns][j, head] = poisons[j % 3]
            v[columns][j, head] = poisons[(j + 1) % 3]
        for head, i in (~seen.any(2)).nonzero().tolist():
            q[rows][i, head] = poisons[i % 3]
            cotangent[rows][i, head] = poisons[(i + 1) % 3]


def _dense(name: str, batch: int, len_q: int, len_k: int, **options: Any) -> AttentionCase:
    return AttentionCase(name, (len_q,) * batch, (len_k,) * batch, dense=True, **options)


def _self(name: str, *lengths: int, **options: Any) -> AttentionCase:
    return AttentionCase(name, lengths, lengths, **options)


CASES: tuple[AttentionCase, ...] = (
    AttentionCase("packed"),
    _dense("dense", 3, 6, 6),
    _dense("dense cross", 2, 3, 9),
    AttentionCase("packed cross", (3, 1, 8), (6, 9, 2)),
    _self("batch of one", 9),
    _self("one token", 1),
    _self("many single tokens", *(1,) * 9),
    AttentionCase("empty sequences", (0, 4, 0, 2), (3, 4, 0, 0)),
    AttentionCase("nothing but empty", (0, 0), (0, 0)),
    _dense("no queries", 2, 0, 3),
    _dense("no keys", 2, 3, 0),
    # lengths around tiles and blocks
    *(_self(f"length {n}", n, n - 1, 1, head_dim=32) for n in (13, 14, 15, 16, 31, 32, 33)),
    *(_self(f"length {n} causal", n, head_dim=8, causal=True) for n in (14, 15, 16, 33, 255)),
    *(_self(f"length {n}", n, 3, heads=1, head_dim=16) for n in (255, 256, 257, 300)),
    AttentionCase("one query, many keys", (1, 1), (257, 300), heads=1, causal=True),
    AttentionCase("many queries, one key", (257,), (1,), heads=1),
    # widths
    *(_self(f"head_dim {d}", 9, 17, head_dim=d) for d in (1, 8, 17, 32, 64, 100, 256)),
    _self("head_dim 256 causal", 33, head_dim=256, heads=1, causal=True),
    _self("five heads", 7, 6, heads=5, head_dim=12),
    # who sees whom
    _self("causal", 5, 1, 7, causal=True),
    AttentionCase("causal, more keys", (3, 1, 8), (6, 9, 11), causal=True),
    AttentionCase("causal, fewer keys", (6, 9, 20), (3, 1, 17), causal=True),
    _self("window", 20, 5, window=(3, 2)),
    _self("window of the diagonal", 6, 4, window=(0, 0)),
    _self("window, causal", 20, 33, window=(4, 9), causal=True),
    AttentionCase("window, more keys", (4, 2), (17, 9), window=(2, 1)),
    AttentionCase("window, fewer keys", (17, 9), (4, 2), window=(2, 1)),
    _dense("window, dense, long", 1, 70, 300, heads=1, window=(40, 11)),
    _self("window beyond all numbers", 20, 5, window=(2**63 - 1, 2**63 - 1)),
    AttentionCase("window beyond, more keys", (4, 2), (17, 9), window=(2**63 - 1, 0)),
    AttentionCase("window beyond, fewer keys", (17, 9), (4, 2), window=(2**63 - 1, 2**63 - 1)),
    # masks, spanning some dimensions and broadcasting over the others
    *(
        AttentionCase(f"{kind} mask {dims}", (3, 1, 8), (6, 9, 2), mask=kind, mask_dims=dims)
        for kind in ("boolean", "additive", "infinite")
        for dims in ("bhqk", "b11k", "1hqk", "qk")
    ),
    _dense("boolean mask, dense", 2, 4, 9, mask="boolean", mask_dims="b1qk"),
    _dense("boolean mask, dense, causal", 2, 9, 9, mask="boolean", mask_dims="k", causal=True),
    AttentionCase("masked rows", (5, 9), (4, 9), mask="rows"),
    AttentionCase("masked rows, causal", (5, 9), (4, 9), mask="rows", causal=True),
    AttentionCase("lowest mask", (5, 9), (4, 20), mask="lowest"),
    _dense("lowest mask, long", 1, 40, 300, heads=2, mask="lowest", mask_dims="qk"),
    _dense("boolean mask, long", 1, 40, 300, heads=2, mask="boolean", mask_dims="qk"),
    # what hidden slots hold
    AttentionCase("poison, masked keys", (5, 9), (7, 20), mask="columns", poison=True),
    AttentionCase("poison, masked queries", (5, 9), (7, 20), mask="rows", poison=True),
    AttentionCase(
        "poison, infinite mask", (5, 9), (7, 20), mask="infinite", mask_dims="bh1k", poison=True
    ),
    AttentionCase("poison beyond the window", (4, 2), (40, 9), window=(2, 0), poison=True),
    AttentionCase("poison before the causal", (20, 9), (3, 2), causal=True, poison=True),
    _dense("poison, dense, long", 1, 30, 290, heads=1, mask="columns", poison=True, window=(99, 9)),
    # memory
    _self("fused", 5, 1, 7, fused=True),
    _self("fused causal", 33, 17, fused=True, causal=True, head_dim=17),
    *(
        AttentionCase(f"layout {layout}", (3, 20), (6, 9), layout=layout, head_dim=17)
        for layout in ("offset", "padded rows", "sparse columns", "transposed", "expanded")
    ),
    _dense("layout dense", 2, 5, 9, layout="padded rows", head_dim=24),
    # numbers
    AttentionCase("scale", (3, 20), (6, 9), scale=0.7),
    AttentionCase("scale of zero", (3, 2), (6, 9), scale=0.0),
    AttentionCase("dropout", (3, 20), (6, 35), dropout_p=0.3),
    _self("dropout causal", 17, 33, dropout_p=0.1, causal=True),
    _dense("dropout dense", 2, 5, 9, dropout_p=0.5),
)
