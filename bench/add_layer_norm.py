"""Dropout, addition and layer norm in one, against the three of torch."""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from bench.case import CPU, OURS, TORCH, Case, check_against, compiled_side, random, side
from bench.layer_norm import SHAPES, SHAPES_ON_CUDA
from pytransformer import ops, reference

DROPOUT = 0.1


def cases() -> Iterator[Case]:
    """The shapes of layer_norm in float32 and bfloat16."""
    for dtype in (torch.float32, torch.bfloat16):
        for rows, columns in SHAPES:
            yield _case(rows, columns, dtype)


def cases_on_cuda() -> Iterator[Case]:
    """Rows of the paper's two models, in bfloat16."""
    for rows, columns in SHAPES_ON_CUDA:
        yield _case(rows, columns, torch.bfloat16, torch.device("cuda"))


def _case(rows: int, columns: int, dtype: torch.dtype, device: torch.device = CPU) -> Case:
    generator = torch.Generator().manual_seed(1)
    x, residual = (
        random((rows, columns), generator, dtype, device).requires_grad_() for _ in range(2)
    )
    gain, shift = (random((columns,), generator, dtype, device).requires_grad_() for _ in range(2))
    cotangent = random((rows, columns), generator, dtype, device)
    inputs = (x, residual, gain, shift)

    def ours(x: Tensor, residual: Tensor, gain: Tensor, shift: Tensor) -> Tensor:
        return ops.add_layer_norm(x, residual, gain, shift, dropout_p=DROPOUT)[0]

    def theirs(x: Tensor, residual: Tensor, gain: Tensor, shift: Tensor) -> Tensor:
        return F.layer_norm(residual + F.dropout(x, DROPOUT), (columns,), gain, shift)

    def seeded(x: Tensor, residual: Tensor, gain: Tensor, shift: Tensor) -> Tensor:
        return ops.add_layer_norm(x, residual, gain, shift, dropout_p=DROPOUT, seed=5)[0]

    def oracle(x: Tensor, residual: Tensor, gain: Tensor, shift: Tensor) -> Tensor:
        return reference.add_layer_norm(x, residual, gain, shift, dropout_p=DROPOUT, seed=5)[0]

    return Case(
        name=f"{rows} x {columns}",
        dtype=dtype,
        mode="forward+backward",
        sides={
            OURS: side("forward+backward", ours, inputs, cotangent),
            TORCH: side("forward+backward", theirs, inputs, cotangent),
        },
        compiled=compiled_side("forward+backward", theirs, inputs, cotangent),
        check=check_against(seeded, oracle, inputs, cotangent, rows),
        # x, residual, sum and out; then grad, sum, grad_residual and grad_x
        bytes=8.0 * rows * columns * dtype.itemsize,
        device=device,
    )
