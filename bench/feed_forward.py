"""The feed-forward layer against two linear layers of torch."""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from bench.case import OURS, TORCH, Case, Mode, check_against, compiled_side, side
from pytransformer import ops, reference

CHECKED_ROWS = 64
SHAPES = ((4096, 512, 2048), (1136, 128, 256))  # rows, width, hidden width


def cases() -> Iterator[Case]:
    """Every shape, forward and with backward, in float32 and bfloat16."""
    for dtype in (torch.float32, torch.bfloat16):
        for rows, width, hidden in SHAPES:
            yield case(rows, width, hidden, dtype, "forward")
            yield case(rows, width, hidden, dtype, "forward+backward")


def case(rows: int, width: int, hidden: int, dtype: torch.dtype, mode: Mode) -> Case:
    """One of ``SHAPES``, or another."""
    generator = torch.Generator().manual_seed(1)

    def parameter(*shape: int) -> Tensor:
        values = torch.randn(*shape, generator=generator) * shape[-1] ** -0.5
        return values.to(dtype).requires_grad_()

    x = torch.randn(rows, width, generator=generator).to(dtype).requires_grad_()
    inputs = (
        x,
        parameter(hidden, width),
        parameter(hidden),
        parameter(width, hidden),
        parameter(width),
    )
    cotangent = torch.randn(rows, width, generator=generator).to(dtype)

    def theirs(x: Tensor, w1: Tensor, b1: Tensor, w2: Tensor, b2: Tensor) -> Tensor:
        return F.linear(F.relu(F.linear(x, w1, b1)), w2, b2)

    products = 2 if mode == "forward" else 6
    return Case(
        name=f"{rows} x {width} x {hidden}",
        dtype=dtype,
        mode=mode,
        sides={
            OURS: side(mode, ops.feed_forward, inputs, cotangent),
            TORCH: side(mode, theirs, inputs, cotangent),
        },
        compiled=compiled_side(mode, theirs, inputs, cotangent),
        # Few rows: among many a hidden unit lies so close to 0 that rounding decides its sign.
        check=check_against(
            ops.feed_forward,
            reference.feed_forward,
            (x[:CHECKED_ROWS].detach(), *inputs[1:]),
            cotangent[:CHECKED_ROWS],
            hidden,
        ),
        operations=2.0 * products * rows * width * hidden,
    )
