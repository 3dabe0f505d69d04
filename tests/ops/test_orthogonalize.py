"""Matrices brought near orthogonal ones: against singular values, which the op never computes."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from pytransformer import ops
from tests.cases.backend import native_only
from tests.cases.compare import DTYPES
from tests.cases.device import cpu_only
from tests.cases.messages import assert_raises_naming
from tests.cases.threads import threads

SHAPES = [(7, 5), (5, 7), (1, 9), (9, 1), (3, 33, 65), (2, 2, 65, 17), (130, 130)]


def _by_singular_values(x: Tensor, steps: int) -> Tensor:
    u, s, v = torch.linalg.svd(x.double(), full_matrices=False)
    s = s / s.square().sum(-1, keepdim=True).sqrt()
    for _ in range(steps):
        s = 3.4445 * s - 4.7750 * s**3 + 2.0315 * s**5
    return (u * s[..., None, :]) @ v


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_singular_values_follow_the_polynomial(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    x = torch.randn(shape, generator=torch.Generator().manual_seed(3)).to(dtype)
    for steps in (0, 1, 5):
        result = ops.orthogonalize(x, steps)
        assert result.dtype == dtype
        # bfloat16 errs by 2^-9 of each operand: 2^-9 (2 |b| + 4 |c|) of what is near 1, in a step.
        tolerance = {torch.float64: 1e-12, torch.float32: 1e-5, torch.bfloat16: 0.05}[dtype]
        torch.testing.assert_close(
            result.double(), _by_singular_values(x, steps), rtol=0, atol=tolerance
        )


def test_large_and_small_singular_values_come_near_one() -> None:
    u, _, v = torch.linalg.svd(torch.randn(40, 60), full_matrices=False)
    x = (u * torch.logspace(0, -2, 40)) @ v
    values = torch.linalg.svdvals(ops.orthogonalize(x).double())
    assert values.min() > 0.6
    assert values.max() < 1.3


def test_zeros_stay_zeros_whatever_stands_beside_them() -> None:
    x = torch.randn(3, 20, 12)
    x[1] = 0.0
    result = ops.orthogonalize(x)
    assert torch.equal(result[1], x[1])
    assert torch.isfinite(result).all()


def test_scale_does_not_matter() -> None:
    x = torch.randn(20, 12).double()
    for scale in (1e-12, 1e12):
        torch.testing.assert_close(
            ops.orthogonalize(x * scale), ops.orthogonalize(x), rtol=1e-9, atol=1e-11
        )


def test_of_nothing_is_nothing() -> None:
    assert ops.orthogonalize(torch.zeros(0, 4, 5)).shape == (0, 4, 5)
    assert ops.orthogonalize(torch.zeros(2, 0, 5)).shape == (2, 0, 5)


def test_strides_do_not_matter() -> None:
    x = torch.randn(4, 30, 20)
    whole = ops.orthogonalize(x.mT.contiguous())
    torch.testing.assert_close(ops.orthogonalize(x.mT), whole, rtol=0, atol=1e-5)


@cpu_only
@native_only
def test_neither_threads_nor_other_matrices_change_a_bit() -> None:
    x = torch.randn(5, 150, 70)
    with threads(1):
        expected = ops.orthogonalize(x)
    with threads(2):
        assert torch.equal(ops.orthogonalize(x), expected)
        assert torch.equal(ops.orthogonalize(x[3]), expected[3])


@native_only
def test_bad_input_is_named() -> None:
    x = torch.zeros(3, 4)
    assert_raises_naming(ops.orthogonalize, dict(x=torch.zeros(3)), "x", "[3]")
    assert_raises_naming(ops.orthogonalize, dict(x=x.long()), "x", "Long")
    assert_raises_naming(ops.orthogonalize, dict(x=x, steps=-1), "steps", "-1")
