"""Awkward calls of the embedding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch

from tests.cases.attention import boundaries
from tests.cases.call import Call
from tests.cases.layout import arrange, generator, integers, normal


@dataclass(frozen=True)
class EmbeddingCase:
    """``lengths`` of packed sequences, or of equal ones when ``dense``."""

    lengths: tuple[int, ...]
    width: int = 16
    vocabulary: int = 11
    dense: bool = False
    positions: Literal["sinusoidal", "learned", "none"] = "sinusoidal"
    scale: float = 4.0
    dropout_p: float = 0.0
    padding_idx: int | None = None
    layout: str = "contiguous"

    @property
    def name(self) -> str:
        parts = ["+".join(map(str, self.lengths)) + f" by {self.width}", self.positions]
        parts += ["dense"] if self.dense else []
        parts += [f"dropout {self.dropout_p}"] if self.dropout_p else []
        parts += ["padding"] if self.padding_idx is not None else []
        parts += [self.layout] if self.layout != "contiguous" else []
        return ", ".join(parts)

    def build(self, dtype: torch.dtype) -> Call:
        """weight (and learned positions); tokens among the options."""
        rng = generator(5)
        tokens = integers(0, self.vocabulary, (sum(self.lengths),), rng)
        options: dict[str, Any] = dict(scale=self.scale, padding_idx=self.padding_idx)
        if self.dense:
            options["tokens"] = tokens.view(len(self.lengths), -1)
        else:
            options |= dict(tokens=tokens, cu_seqlens=boundaries(self.lengths))
        weight = normal((self.vocabulary, self.width), rng, dtype)
        tensors = {"weight": arrange(weight, self.layout)}
        if self.positions == "learned":
            tensors["positions"] = normal((max(self.lengths) + 2, self.width), rng, dtype)
        else:
            options["positions"] = None if self.positions == "none" else "sinusoidal"
        if self.dropout_p:
            options |= dict(dropout_p=self.dropout_p, seed=42)
        return Call(tensors, options, max(1, sum(self.lengths)), floor=self.scale)


CASES: tuple[EmbeddingCase, ...] = (
    EmbeddingCase((3, 1, 5)),
    EmbeddingCase((0, 4, 0)),
    EmbeddingCase((0,)),
    EmbeddingCase((1,)),
    EmbeddingCase((300,)),
    EmbeddingCase((4, 4), dense=True),
    *(EmbeddingCase((3, 1, 5), width=width) for width in (1, 2, 3, 15, 17, 32, 33, 130)),
    EmbeddingCase((3, 1, 5), positions="learned"),
    EmbeddingCase((7, 7), positions="learned", dense=True, width=19),
    EmbeddingCase((3, 1, 5), positions="none", scale=1.0),
    EmbeddingCase((9, 30), padding_idx=3),
    EmbeddingCase((9, 30), padding_idx=10, vocabulary=11, positions="learned"),
    EmbeddingCase((9, 30), dropout_p=0.2, width=18),
    EmbeddingCase((6, 6), dropout_p=0.5, dense=True, positions="learned"),
    EmbeddingCase((3, 1, 5), layout="padded rows"),
    EmbeddingCase((3, 1, 5), layout="offset", width=17),
)
