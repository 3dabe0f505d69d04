"""Output projection and cross-entropy with label smoothing, against torch's two ops."""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from bench.case import OURS, TORCH, Case, check_against, compiled_side, side
from pytransformer import ops, reference

ROWS = 1136
VOCABULARY = 10_000
SMOOTHING = 0.1


def cases() -> Iterator[Case]:
    """Two widths, forward and backward."""
    for dtype in (torch.float32, torch.bfloat16):
        for width in (128, 512):
            yield case(width, dtype)


def case(width: int, dtype: torch.dtype) -> Case:
    """``ROWS`` rows of ``width``, forward and backward."""
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(ROWS, width, generator=generator).to(dtype).requires_grad_()
    weight = (torch.randn(VOCABULARY, width, generator=generator) * width**-0.5).to(dtype)
    weight.requires_grad_()
    targets = torch.randint(0, VOCABULARY, (ROWS,), generator=generator)
    inputs, unused = (x, weight), torch.empty(())

    def ours(x: Tensor, weight: Tensor) -> Tensor:
        return ops.linear_cross_entropy(x, weight, targets, label_smoothing=SMOOTHING)

    def theirs(x: Tensor, weight: Tensor) -> Tensor:
        return F.cross_entropy(F.linear(x, weight), targets, label_smoothing=SMOOTHING)

    def oracle(x: Tensor, weight: Tensor) -> Tensor:
        return reference.linear_cross_entropy(x, weight, targets, label_smoothing=SMOOTHING)

    return Case(
        name=f"{ROWS} x {width} x {VOCABULARY}",
        dtype=dtype,
        mode="forward+backward",
        sides={
            OURS: side("forward+backward", ours, inputs, unused),
            TORCH: side("forward+backward", theirs, inputs, unused),
        },
        compiled=compiled_side("forward+backward", theirs, inputs, unused),
        check=check_against(ours, oracle, inputs, unused, VOCABULARY),
        operations=6.0 * ROWS * width * VOCABULARY,
    )
