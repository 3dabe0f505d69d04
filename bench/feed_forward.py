"""The feed-forward layer against two linear layers of torch."""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from bench.case import CPU, OURS, TORCH, Case, Mode, check_against, compiled_side, random, side
from pytransformer import ops, reference

CHECKED_ROWS = 64
SHAPES = ((4096, 512, 2048), (1136, 128, 256))  # rows, width, hidden width
SHAPES_ON_CUDA = ((16384, 1024, 4096), (8192, 512, 2048))
DROPOUT = 0.1
_MODES: tuple[Mode, ...] = ("forward", "forward+backward")


def cases() -> Iterator[Case]:
    """Every shape, forward and with backward, in float32 and bfloat16."""
    for dtype in (torch.float32, torch.bfloat16):
        for rows, width, hidden in SHAPES:
            for mode in _MODES:
                yield case(rows, width, hidden, dtype, mode)


def cases_on_cuda() -> Iterator[Case]:
    """Layers of the paper's two models in bfloat16, without dropout and with it."""
    for dropout in (0.0, DROPOUT):
        for mode in _MODES:
            for sizes in SHAPES_ON_CUDA:
                yield case(*sizes, torch.bfloat16, mode, dropout, torch.device("cuda"))


def case(
    rows: int,
    width: int,
    hidden: int,
    dtype: torch.dtype,
    mode: Mode,
    dropout: float = 0.0,
    device: torch.device = CPU,
) -> Case:
    """One of ``SHAPES``, or another."""
    generator = torch.Generator().manual_seed(1)

    def parameter(*shape: int) -> Tensor:
        values = random(shape, generator, torch.float32, device) * shape[-1] ** -0.5
        return values.to(dtype).requires_grad_()

    x = random((rows, width), generator, dtype, device).requires_grad_()
    inputs = (
        x,
        parameter(hidden, width),
        parameter(hidden),
        parameter(width, hidden),
        parameter(width),
    )
    cotangent = random((rows, width), generator, dtype, device)

    def ours(x: Tensor, w1: Tensor, b1: Tensor, w2: Tensor, b2: Tensor) -> Tensor:
        return ops.feed_forward(x, w1, b1, w2, b2, dropout_p=dropout)

    def theirs(x: Tensor, w1: Tensor, b1: Tensor, w2: Tensor, b2: Tensor) -> Tensor:
        return F.linear(F.dropout(F.relu(F.linear(x, w1, b1)), dropout), w2, b2)

    products = 2 if mode == "forward" else 6
    return Case(
        name=f"{rows} x {width} x {hidden}{' dropout' if dropout else ''}",
        dtype=dtype,
        mode=mode,
        sides={
            OURS: side(mode, ours, inputs, cotangent),
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
        device=device,
    )
