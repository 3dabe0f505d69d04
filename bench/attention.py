"""Attention against torch's scaled_dot_product_attention, each in the layout it likes best."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from bench.case import OURS, TORCH, Case, Mode, check_against, compiled_side, side
from pytransformer import ops

DROPOUT = 0.1


@dataclass(frozen=True)
class Shape:
    """Self-attention of equal lengths."""

    batch: int
    heads: int
    length: int
    head_dim: int
    causal: bool = False

    @property
    def name(self) -> str:
        sizes = f"{self.batch} x {self.heads} x {self.length} x {self.head_dim}"
        return f"{sizes} causal" if self.causal else sizes

    @property
    def pairs(self) -> float:
        """How many queries see how many keys, all together."""
        seen = self.length * (self.length + 1) / 2 if self.causal else self.length**2
        return self.batch * self.heads * seen


SHAPES = (
    Shape(16, 8, 128, 64),
    Shape(8, 8, 512, 64, causal=True),
    Shape(1, 8, 2048, 64, causal=True),
    Shape(64, 4, 24, 32),
)


def long(length: int) -> Shape:
    """One causal sequence of ``length``."""
    return Shape(1, 8, length, 64, causal=True)


def cases() -> Iterator[Case]:
    """Every shape in both modes and types; then with dropout."""
    for dtype in (torch.float32, torch.bfloat16):
        for mode in ("forward", "forward+backward"):
            for shape in SHAPES:
                yield case(shape, dtype, mode)
    for dtype in (torch.float32, torch.bfloat16):
        for shape in SHAPES:
            yield case(shape, dtype, "forward+backward", DROPOUT)


def case(shape: Shape, dtype: torch.dtype, mode: Mode, dropout: float = 0.0) -> Case:
    """One of ``SHAPES``, or another."""
    generator = torch.Generator().manual_seed(1)
    sizes = (shape.batch, shape.length, shape.heads, shape.head_dim)
    inputs = [torch.randn(sizes, generator=generator).to(dtype) for _ in range(4)]
    theirs = [x.transpose(1, 2).contiguous() for x in inputs]
    for x in (*inputs[:3], *theirs[:3]):
        x.requires_grad_()

    def our_attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return ops.attention(q, k, v, causal=shape.causal, dropout_p=dropout)

    def torch_attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return F.scaled_dot_product_attention(q, k, v, is_causal=shape.causal, dropout_p=dropout)

    def check() -> None:
        # Without dropout: its bits are the tests' matter.
        check_against(
            lambda q, k, v: ops.attention(q, k, v, causal=shape.causal),
            lambda q, k, v: _in_their_layout(q, k, v, shape.causal),
            inputs[:3],
            inputs[3],
            shape.length,
        )()

    products = 2 if mode == "forward" else 7
    return Case(
        name=f"{shape.name} dropout" if dropout else shape.name,
        dtype=dtype,
        mode=mode,
        sides={
            OURS: side(mode, our_attention, inputs[:3], inputs[3]),
            TORCH: side(mode, torch_attention, theirs[:3], theirs[3]),
        },
        compiled=compiled_side(mode, torch_attention, theirs[:3], theirs[3]),
        check=check,
        operations=2.0 * products * shape.pairs * shape.head_dim,
    )


def _in_their_layout(q: Tensor, k: Tensor, v: Tensor, causal: bool) -> Tensor:
    q, k, v = (x.transpose(1, 2) for x in (q, k, v))
    return F.scaled_dot_product_attention(q, k, v, is_causal=causal).transpose(1, 2)
