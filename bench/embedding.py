"""Scaled embeddings with sinusoids, against torch's embedding with a table of positions."""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from bench.case import CPU, OURS, TORCH, Case, check_against, compiled_side, random, side
from pytransformer import ops, reference
from pytransformer.positions import sinusoids

VOCABULARY = 10_000
SCALE = 11.3


def cases() -> Iterator[Case]:
    """Sentences of equal length, so that torch has no padding to pay for."""
    for batch, length, width in ((64, 18, 128), (64, 64, 512)):
        yield _case(batch, length, width)


def cases_on_cuda() -> Iterator[Case]:
    """The paper's smaller model."""
    yield _case(512, 32, 512, torch.device("cuda"))


def _case(batch: int, length: int, width: int, device: torch.device = CPU) -> Case:
    generator = torch.Generator().manual_seed(1)
    weight = random((VOCABULARY, width), generator, torch.float32, device).requires_grad_()
    tokens = torch.randint(0, VOCABULARY, (batch, length), generator=generator).to(device)
    cotangent = random((batch, length, width), generator, torch.float32, device)
    positions = sinusoids(length, width, device).float()

    def ours(weight: Tensor) -> Tensor:
        return ops.embedding(tokens, weight, scale=SCALE)

    def theirs(weight: Tensor) -> Tensor:
        return F.embedding(tokens, weight) * SCALE + positions

    def oracle(weight: Tensor) -> Tensor:
        return reference.embedding(tokens, weight, scale=SCALE)

    return Case(
        name=f"{batch} x {length} x {width}",
        dtype=torch.float32,
        mode="forward+backward",
        sides={
            OURS: side("forward+backward", ours, (weight,), cotangent),
            TORCH: side("forward+backward", theirs, (weight,), cotangent),
        },
        compiled=compiled_side("forward+backward", theirs, (weight,), cotangent),
        check=check_against(ours, oracle, (weight,), cotangent, batch * length),
        # rows read, out; grad read; the gradient of the whole table written
        bytes=4.0 * width * (3 * batch * length + VOCABULARY),
        device=device,
    )
