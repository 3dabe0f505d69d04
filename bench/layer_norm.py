"""Layer norm against torch's, forward and backward."""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from bench.case import CPU, OURS, TORCH, Case, check_against, compiled_side, random, side
from pytransformer import ops, reference

SHAPES = ((4096, 512), (1136, 128))  # rows, columns
SHAPES_ON_CUDA = ((65536, 512), (32768, 1024))


def cases() -> Iterator[Case]:
    """Every shape in float32 and bfloat16."""
    for dtype in (torch.float32, torch.bfloat16):
        for rows, columns in SHAPES:
            yield _case(rows, columns, dtype)


def cases_on_cuda() -> Iterator[Case]:
    """Rows of the paper's two models, in bfloat16."""
    for rows, columns in SHAPES_ON_CUDA:
        yield _case(rows, columns, torch.bfloat16, torch.device("cuda"))


def _case(rows: int, columns: int, dtype: torch.dtype, device: torch.device = CPU) -> Case:
    generator = torch.Generator().manual_seed(1)
    x = random((rows, columns), generator, dtype, device).requires_grad_()
    gain = random((columns,), generator, dtype, device).requires_grad_()
    shift = random((columns,), generator, dtype, device).requires_grad_()
    cotangent = random((rows, columns), generator, dtype, device)
    inputs = (x, gain, shift)

    def torch_norm(x: Tensor, gain: Tensor, shift: Tensor) -> Tensor:
        return F.layer_norm(x, (columns,), gain, shift)

    return Case(
        name=f"{rows} x {columns}",
        dtype=dtype,
        mode="forward+backward",
        sides={
            OURS: side("forward+backward", ops.layer_norm, inputs, cotangent),
            TORCH: side("forward+backward", torch_norm, inputs, cotangent),
        },
        compiled=compiled_side("forward+backward", torch_norm, inputs, cotangent),
        check=check_against(ops.layer_norm, reference.layer_norm, inputs, cotangent, rows),
        # x and out; then grad, x and grad_x
        bytes=5.0 * rows * columns * dtype.itemsize,
        device=device,
    )
