"""The affine map against its oracle, its determinism, its messages."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from pytransformer import ops
from tests.cases.backend import native_only
from tests.cases.call import evaluate
from tests.cases.compare import DTYPES, assert_bit_equal, check_against_oracle
from tests.cases.device import DEVICE, cpu_only, real_only
from tests.cases.messages import assert_raises_naming
from tests.cases.rows import LINEAR_CASES, LinearCase
from tests.cases.threads import threads


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("case", LINEAR_CASES, ids=lambda case: case.name)
def test_agrees_with_the_oracle(case: LinearCase, dtype: torch.dtype) -> None:
    check_against_oracle(ops.linear, case.build(dtype), dtype)


def test_passes_gradcheck() -> None:
    call = LinearCase((5, 7), 9).build(torch.float64)
    leaves = [t.clone().requires_grad_() for t in call.tensors.values()]
    assert torch.autograd.gradcheck(ops.linear, leaves)


@real_only
def test_follows_autocast() -> None:
    call = LinearCase((5, 7), 9).build(torch.float32)
    leaves = {name: t.clone().requires_grad_() for name, t in call.tensors.items()}
    with torch.autocast(DEVICE, torch.bfloat16):
        result = ops.linear(**leaves)
    result.sum().backward()
    assert result.dtype == torch.bfloat16
    assert all(
        leaf.grad is not None and leaf.grad.dtype == torch.float32 for leaf in leaves.values()
    )


def test_dimensions_of_no_width_keep_the_others() -> None:
    assert ops.linear(torch.zeros(2, 3, 0), torch.zeros(5, 0)).shape == (2, 3, 5)
    x = torch.randn(2, 5, 3, requires_grad=True)
    ops.linear(x, torch.zeros(0, 3)).sum().backward()
    assert x.grad is not None
    assert torch.equal(x.grad, torch.zeros(2, 5, 3))


@native_only
def test_sums_over_a_million_terms_end() -> None:
    count = 2**20
    with threads(1):
        out = ops.linear(torch.ones(1, count).expand(60, count), torch.ones(1, count))
    assert torch.equal(out, torch.full((60, 1), float(count)))


@cpu_only
@native_only
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_threads_and_other_rows_change_no_bit(dtype: torch.dtype) -> None:
    call = LinearCase((700, 530), 65).build(dtype)
    results = []
    for count in (1, 2):
        with threads(count):
            results.append(evaluate(ops.linear, call))
    one, two = results
    assert_bit_equal(one.outputs[0], two.outputs[0])
    for name, gradient in one.gradients.items():
        assert_bit_equal(gradient, two.gradients[name], name)
    for rows in (slice(0, 1), slice(13, 14), slice(100, 115), slice(500, 700)):
        few = {**call.tensors, "x": call.tensors["x"][rows]}
        assert_bit_equal(ops.linear(**few), one.outputs[0][rows], str(rows))


@native_only
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (dict(weight=torch.ones(4, 9)), ["weight", "9", "8"]),
        (dict(weight=torch.ones(4)), ["weight", "4"]),
        (dict(bias=torch.ones(5)), ["bias", "5", "4"]),
        (dict(x=torch.ones(3, 8, dtype=torch.int64)), ["x", "int64|Long"]),
        (dict(weight=torch.ones(4, 8, dtype=torch.int64)), ["weight", "int64|Long"]),
    ],
)
def test_bad_input_is_named(change: dict[str, Any], words: list[str]) -> None:
    call = LinearCase((3, 8), 4).build(torch.float32)
    assert_raises_naming(ops.linear, {**call.tensors, **call.options, **change}, *words)
