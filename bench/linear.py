"""The matrix product behind every layer, against addmm into a preallocated output."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from bench.case import OURS, TORCH, Case, check_against, side
from pytransformer import ops, reference

SHAPES = (  # rows, in, out
    (4096, 512, 2048),
    (4096, 2048, 512),
    (4096, 512, 512),
    (1136, 128, 256),
    (1136, 256, 10000),
)


def cases() -> Iterator[Case]:
    """Every shape in float32 and bfloat16."""
    for dtype in (torch.float32, torch.bfloat16):
        for rows, columns, width in SHAPES:
            yield _case(rows, columns, width, dtype)


def _case(rows: int, columns: int, width: int, dtype: torch.dtype) -> Case:
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(rows, columns, generator=generator).to(dtype)
    weight = (torch.randn(width, columns, generator=generator) * columns**-0.5).to(dtype)
    bias = torch.randn(width, generator=generator).to(dtype)
    out = torch.empty(rows, width, dtype=dtype)
    inputs = (x, weight, bias)
    return Case(
        name=f"{rows} x {columns} -> {width}",
        dtype=dtype,
        mode="forward",
        sides={
            OURS: side("forward", ops.linear, inputs, out),
            TORCH: lambda: torch.addmm(bias, x, weight.t(), out=out),
        },
        check=check_against(
            ops.linear, reference.linear, inputs, torch.ones_like(out), max(columns, rows, width)
        ),
        operations=2.0 * rows * columns * width,
    )
