"""The sum of squares against exact arithmetic, and its independence of threads."""

from __future__ import annotations

import math

import pytest
import torch

from pytransformer import ops
from tests.cases.backend import native_only
from tests.cases.compare import DTYPES
from tests.cases.device import cpu_only
from tests.cases.messages import assert_raises_naming
from tests.cases.threads import threads


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_is_the_exact_sum(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    tensors = [
        torch.randn(shape).to(dtype) for shape in ((0,), (1,), (33, 257), (4096,), (9, 1000))
    ]
    tensors.append(torch.randn(40, 30).to(dtype).t())
    exact = math.fsum(x * x for tensor in tensors for x in tensor.double().flatten().tolist())
    result = ops.sum_of_squares(tensors)
    assert result.dtype == torch.float64
    assert float(result) == pytest.approx(exact, rel=1e-12)


def test_of_nothing_is_zero() -> None:
    assert float(ops.sum_of_squares([])) == 0.0


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_shows_what_is_not_finite(value: float) -> None:
    tensor = torch.ones(5000)
    tensor[4321] = value
    assert not math.isfinite(float(ops.sum_of_squares([torch.ones(3), tensor])))


@cpu_only
@native_only
def test_threads_change_no_bit() -> None:
    tensor = torch.randn(1_000_003)
    results = []
    for count in (1, 2):
        with threads(count):
            results.append(float(ops.sum_of_squares([tensor])))
    assert results[0] == results[1]


@native_only
def test_bad_input_is_named() -> None:
    assert_raises_naming(
        ops.sum_of_squares, dict(tensors=[torch.zeros(3, dtype=torch.int64)]), "tensors", "Long"
    )
