"""Output projection and cross-entropy with label smoothing, against torch's two ops."""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from bench.case import CPU, OURS, TORCH, Case, check_against, compiled_side, random, side
from pytransformer import ops, reference

ROWS = 1136
VOCABULARY = 10_000
ROWS_ON_CUDA = 8192
VOCABULARY_ON_CUDA = 32_000
WIDTHS_ON_CUDA = (512, 1024)
CHECKED_ROWS = 512
SMOOTHING = 0.1


def cases() -> Iterator[Case]:
    """Two widths, forward and backward."""
    for dtype in (torch.float32, torch.bfloat16):
        for width in (128, 512):
            yield case(width, dtype)


def cases_on_cuda() -> Iterator[Case]:
    """Widths of the paper's two models in bfloat16."""
    for width in WIDTHS_ON_CUDA:
        yield case_on_cuda(width)


def case_on_cuda(width: int) -> Case:
    """``ROWS_ON_CUDA`` rows of ``width`` in bfloat16, forward and backward."""
    sizes = (ROWS_ON_CUDA, VOCABULARY_ON_CUDA, torch.device("cuda"))
    return case(width, torch.bfloat16, *sizes)


def case(
    width: int,
    dtype: torch.dtype,
    rows: int = ROWS,
    vocabulary: int = VOCABULARY,
    device: torch.device = CPU,
) -> Case:
    """``rows`` of ``width``, forward and backward."""
    generator = torch.Generator().manual_seed(1)
    x = random((rows, width), generator, dtype, device).requires_grad_()
    weight = random((vocabulary, width), generator, torch.float32, device) * width**-0.5
    weight = weight.to(dtype).requires_grad_()
    targets = torch.randint(0, vocabulary, (rows,), generator=generator).to(device)
    inputs, unused = (x, weight), torch.empty(())

    def ours(x: Tensor, weight: Tensor) -> Tensor:
        return ops.linear_cross_entropy(x, weight, targets[: len(x)], label_smoothing=SMOOTHING)

    def theirs(x: Tensor, weight: Tensor) -> Tensor:
        return F.cross_entropy(F.linear(x, weight), targets, label_smoothing=SMOOTHING)

    def oracle(x: Tensor, weight: Tensor) -> Tensor:
        given = targets[: len(x)]
        return reference.linear_cross_entropy(x, weight, given, label_smoothing=SMOOTHING)

    return Case(
        name=f"{rows} x {width} x {vocabulary}",
        dtype=dtype,
        mode="forward+backward",
        sides={
            OURS: side("forward+backward", ours, inputs, unused),
            TORCH: side("forward+backward", theirs, inputs, unused),
        },
        compiled=compiled_side("forward+backward", theirs, inputs, unused),
        check=check_against(ours, oracle, (x[:CHECKED_ROWS].detach(), weight), unused, vocabulary),
        operations=6.0 * rows * width * vocabulary,
        device=device,
    )
