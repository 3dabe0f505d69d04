"""The matrices of a model's layers made orthogonal, as Muon does with each update: against the same
products by torch's batched bfloat16 ones.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from bench.case import CPU, OURS, TORCH, Case, compiled_side, random, side
from pytransformer import ops, reference

STEPS = 5
SHAPES = (  # matrices, rows, columns
    (48, 128, 128),
    (8, 256, 128),
    (48, 512, 512),
    (6, 512, 2048),
)


def cases() -> Iterator[Case]:
    """The projections and one half of the feed-forward layers of `tiny` and `base`."""
    for count, rows, columns in SHAPES:
        yield case(count, rows, columns)


def cases_on_cuda() -> Iterator[Case]:
    """The same."""
    for count, rows, columns in SHAPES:
        yield case(count, rows, columns, torch.device("cuda"))


def case(count: int, rows: int, columns: int, device: torch.device = CPU) -> Case:
    """One of ``SHAPES``, or another, in bfloat16."""
    generator = torch.Generator().manual_seed(1)
    x = random((count, rows, columns), generator, torch.bfloat16, device)

    def check() -> None:
        # Both err by bfloat16's rounding, of every operand in every step.
        expected = reference.orthogonalize(x.double())
        for result in (ops.orthogonalize(x), by_batched_products(x)):
            torch.testing.assert_close(result.double(), expected, rtol=0, atol=0.05)

    short, long = min(rows, columns), max(rows, columns)
    return Case(
        name=f"{count} of {rows} x {columns}",
        dtype=x.dtype,
        mode="forward",
        sides={
            OURS: side("forward", ops.orthogonalize, (x,), x),
            TORCH: side("forward", by_batched_products, (x,), x),
        },
        compiled=compiled_side("forward", by_batched_products, (x,), x),
        check=check,
        device=device,
        operations=2.0 * count * STEPS * short * short * (2 * long + short),
    )


def by_batched_products(x: Tensor) -> Tensor:
    """``ops.orthogonalize`` as baddbmm computes it, all matrices at once."""
    x = x / torch.linalg.vector_norm(x, dim=(-2, -1), keepdim=True)
    tall = x.shape[-2] > x.shape[-1]
    x = x.mT.contiguous() if tall else x
    for _ in range(STEPS):
        gram = x @ x.mT
        factor = torch.baddbmm(gram, gram, gram, beta=-4.7750, alpha=2.0315)
        x = torch.baddbmm(x, factor, x, beta=3.4445)
    return x.mT if tall else x
