"""Comparison with the oracle. Tolerances follow from precision and length; NaN never passes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from pytransformer import reference
from tests.cases.call import Call, evaluate
from tests.cases.device import DEVICE

# The kernels for CUDA have float16 as well.
_NARROW = (torch.float16,) if DEVICE == "cuda" else ()
DTYPES = (torch.float32, torch.bfloat16, torch.float64, *_NARROW)


def bound(expected: Tensor, dtype: torch.dtype, length: int, floor: float) -> Tensor:
    """How far a result in ``dtype`` may lie from the float64 result.

    A sum of ``length`` terms is rounded ``length`` times; each rounding is off by at most half an
    epsilon of the partial sum, in random direction, so that the error walks ``sqrt(length) / 2``
    epsilons of the largest partial sum. Four times that, and eight epsilons for the functions
    around the sum. bfloat16 sums are kept in float32, but their terms (attention weights, hidden
    units, derivatives of scores) are rounded to bfloat16 once or twice: relative to the result
    that does not grow with the length.
    """
    magnitude = expected[expected.isfinite()].abs()
    peak = max(floor, float(magnitude.max())) if magnitude.numel() else floor
    epsilon = torch.finfo(dtype).eps
    if dtype in (torch.bfloat16, torch.float16):
        return epsilon * (expected.abs() + 2.0 * peak)
    return torch.full_like(expected, epsilon * (8.0 + 2.0 * math.sqrt(length)) * peak)


def assert_close(
    actual: Tensor,
    expected: Tensor,
    *,
    length: int,
    floor: float = 1.0,
    name: str = "result",
    dtype: torch.dtype | None = None,
) -> None:
    """``actual`` agrees with the float64 tensor ``expected``.

    Non-finite elements must be equal, NaN at the same places. ``dtype`` is the precision of the
    computation when ``actual`` holds it more precisely.
    """
    assert actual.shape == expected.shape, (name, actual.shape, expected.shape)
    actual, expected = actual.cpu(), expected.cpu()
    allowed = bound(expected, dtype or actual.dtype, length, floor)
    difference = (actual.double() - expected).abs()
    exact = (actual.double() == expected) | (actual.isnan() & expected.isnan())
    accepted = exact | (difference <= allowed)
    if bool(accepted.all()):
        return
    where = tuple((~accepted).nonzero()[0].tolist())
    raise AssertionError(
        f"{name}: {int((~accepted).sum())} of {accepted.numel()} elements are off; at {where} "
        f"got {float(actual[where])}, expected {float(expected[where])} within "
        f"{float(allowed[where])}"
    )


def check_against_oracle(op: Callable[..., Any], call: Call, dtype: torch.dtype) -> None:
    """Outputs and gradients of ``op`` against ``pytransformer.reference`` in float64."""
    actual = evaluate(op, call)
    expected = evaluate(getattr(reference, op.__name__), call.double())
    for index, (output, oracle) in enumerate(zip(actual.outputs, expected.outputs, strict=True)):
        assert_close(
            output,
            oracle,
            length=call.length,
            floor=call.floor,
            dtype=dtype,
            name=f"output {index}",
        )
    for name, oracle in expected.gradients.items():
        gradient = actual.gradients[name]
        assert gradient.dtype == call.tensors[name].dtype, name
        assert_close(
            gradient,
            oracle,
            length=call.length,
            floor=call.floor,
            dtype=dtype,
            name=f"gradient of {name}",
        )


def assert_bit_equal(actual: Tensor, expected: Tensor, name: str = "result") -> None:
    """The same bits, NaN included; both zeros count as one."""
    assert actual.shape == expected.shape, (name, actual.shape, expected.shape)
    assert actual.dtype == expected.dtype, (name, actual.dtype, expected.dtype)
    equal = (actual == expected) | (actual.isnan() & expected.isnan())
    assert bool(equal.all()), f"{name}: {int((~equal).sum())} of {equal.numel()} elements differ"
