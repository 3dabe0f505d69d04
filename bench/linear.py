"""The matrix product behind every layer: ours, which allocates its output in every call and knows
no other way, against torch's addmm into a preallocated output, and F.linear, which allocates too.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F

from bench.case import OURS, TORCH, Case, check_against, compiled_side, side
from pytransformer import ops, reference

ALLOCATING = "F.linear"
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
            yield case(rows, columns, width, dtype)


def case(rows: int, columns: int, width: int, dtype: torch.dtype) -> Case:
    """One of ``SHAPES``, or another, forward."""
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
            ALLOCATING: side("forward", F.linear, inputs, out),
        },
        compiled=compiled_side("forward", F.linear, inputs, out),
        check=check_against(
            ops.linear, reference.linear, inputs, torch.ones_like(out), max(columns, rows, width)
        ),
        operations=2.0 * rows * columns * width,
    )
