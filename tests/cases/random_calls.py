"""Random calls of every op, each a function of its number."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import torch

from tests.cases.attention import AttentionCase
from tests.cases.call import Call
from tests.cases.embedding import EmbeddingCase
from tests.cases.linear_cross_entropy import CrossEntropyCase
from tests.cases.rows import FeedForwardCase, LinearCase, NormCase

_DTYPES = (torch.float32, torch.bfloat16, torch.float64)
_LAYOUTS = ("contiguous", "offset", "padded rows", "sparse columns", "transposed")


def random_call(op: str, number: int) -> tuple[Call, torch.dtype]:
    """The ``number``-th random call of ``op``, and its dtype."""
    rng = random.Random(f"{op} {number}")
    dtype = rng.choice(_DTYPES)
    return _DRAW[op](rng, dtype), dtype


def _attention(rng: random.Random, dtype: torch.dtype) -> Call:
    dense = rng.random() < 0.3
    batch = rng.randint(1, 4)
    lengths_q = tuple(rng.choice((0, 1, 2, 5, 13, 17, 40)) for _ in range(batch))
    lengths_k = tuple(rng.choice((0, 1, 3, 8, 16, 31, 70)) for _ in range(batch))
    fused = not dense and rng.random() < 0.3
    mask: Any = rng.choice((None, None, "boolean", "additive", "infinite", "rows", "columns"))
    case = AttentionCase(
        "random",
        lengths_q[:1] * batch if dense else lengths_q,
        lengths_k[:1] * batch if dense else lengths_q if fused else lengths_k,
        heads=rng.randint(1, 4),
        head_dim=rng.choice((1, 2, 7, 8, 16, 24, 33, 64, 80)),
        dense=dense,
        fused=fused,
        layout=rng.choice(_LAYOUTS),
        causal=rng.random() < 0.5,
        window=rng.choice((None, (rng.randint(0, 20), rng.randint(0, 20)))),
        mask=mask,
        mask_dims=rng.choice(("bhqk", "b1qk", "1hqk", "11qk", "hqk", "qk")),
        scale=rng.choice((None, 0.3)),
        dropout_p=rng.choice((0.0, 0.0, 0.25)),
        poison=rng.random() < 0.4,
    )
    return case.build(dtype, seed=rng.randrange(2**31))


def _norm(rng: random.Random, dtype: torch.dtype, residual: bool) -> Call:
    case = NormCase(
        _shape(rng),
        layout=rng.choice(_LAYOUTS),
        gains=rng.choice((None, torch.float32)),
        eps=rng.choice((1e-5, 1e-6, 1e-3)),
        dropout_p=rng.choice((0.0, 0.1, 0.6)) if residual else 0.0,
    )
    return case.build(dtype, residual)


def _linear(rng: random.Random, dtype: torch.dtype) -> Call:
    case = LinearCase(
        _shape(rng),
        rng.randint(1, 150),
        bias=rng.random() < 0.7,
        layout=rng.choice(_LAYOUTS),
        weight_layout=rng.choice(_LAYOUTS),
        parameters=rng.choice((None, torch.float32)),
    )
    return case.build(dtype)


def _feed_forward(rng: random.Random, dtype: torch.dtype) -> Call:
    case = FeedForwardCase(
        _shape(rng),
        rng.randint(1, 200),
        outputs=rng.choice((None, rng.randint(1, 60))),
        activation=rng.choice(("relu", "gelu", "silu")),
        layout=rng.choice(_LAYOUTS),
        dropout_p=rng.choice((0.0, 0.2)),
        parameters=rng.choice((None, torch.float32)),
    )
    return case.build(dtype)


def _cross_entropy(rng: random.Random, dtype: torch.dtype) -> Call:
    vocabulary = rng.randint(1, 300)
    case = CrossEntropyCase(
        rng.randint(1, 90),
        vocabulary,
        classes=rng.choice((None, rng.randint(1, vocabulary))),
        width=rng.randint(1, 90),
        bias=rng.random() < 0.5,
        smoothing=rng.choice((0.0, 0.1, 0.7)),
        ignored=rng.randint(0, 2),
        ignore_index=rng.choice((-100, 0)),
        reduction=rng.choice(("mean", "sum", "none")),
        layout=rng.choice(_LAYOUTS),
        parameters=rng.choice((None, torch.float32)),
    )
    return case.build(dtype)


def _embedding(rng: random.Random, dtype: torch.dtype) -> Call:
    dense = rng.random() < 0.4
    lengths = tuple(rng.randint(0, 30) for _ in range(rng.randint(1, 5)))
    case = EmbeddingCase(
        lengths[:1] * len(lengths) if dense else lengths,
        width=rng.randint(1, 70),
        vocabulary=rng.randint(1, 40),
        dense=dense,
        positions=rng.choice(("sinusoidal", "learned", "none")),
        scale=rng.choice((1.0, 3.0)),
        dropout_p=rng.choice((0.0, 0.3)),
        padding_idx=rng.choice((None, 0)),
        layout=rng.choice(("contiguous", "offset", "padded rows")),
    )
    return case.build(dtype)


def _shape(rng: random.Random) -> tuple[int, ...]:
    leading = rng.choice(((rng.randint(0, 100),), (rng.randint(1, 5), rng.randint(1, 20)), ()))
    return (*leading, rng.randint(1, 200))


_DRAW: dict[str, Callable[[random.Random, torch.dtype], Call]] = {
    "attention": _attention,
    "layer_norm": lambda rng, dtype: _norm(rng, dtype, residual=False),
    "add_layer_norm": lambda rng, dtype: _norm(rng, dtype, residual=True),
    "linear": _linear,
    "feed_forward": _feed_forward,
    "linear_cross_entropy": _cross_entropy,
    "embedding": _embedding,
}

OPS = tuple(_DRAW)
