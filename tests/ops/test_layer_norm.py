"""Layer norm against its oracle, its determinism, its messages."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from pytransformer import ops
from tests.cases.backend import native_only
from tests.cases.call import evaluate
from tests.cases.compare import DTYPES, assert_bit_equal, check_against_oracle
from tests.cases.messages import assert_raises_naming
from tests.cases.rows import NORM_CASES, NormCase
from tests.cases.threads import threads

PLAIN = [case for case in NORM_CASES if not case.dropout_p]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("case", PLAIN, ids=lambda case: case.name)
def test_agrees_with_the_oracle(case: NormCase, dtype: torch.dtype) -> None:
    check_against_oracle(ops.layer_norm, case.build(dtype), dtype)


def test_passes_gradcheck() -> None:
    leaves = [
        t.clone().requires_grad_() for t in NormCase((3, 7)).build(torch.float64).tensors.values()
    ]
    assert torch.autograd.gradcheck(ops.layer_norm, leaves)


@native_only
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_threads_and_other_rows_change_no_bit(dtype: torch.dtype) -> None:
    call = NormCase((1500, 48)).build(dtype)
    results = []
    for count in (1, 2):
        with threads(count):
            results.append(evaluate(ops.layer_norm, call))
    one, two = results
    assert_bit_equal(one.outputs[0], two.outputs[0])
    for name, gradient in one.gradients.items():
        assert_bit_equal(gradient, two.gradients[name], name)
    few = {**call.tensors, "x": call.tensors["x"][700:713]}
    assert_bit_equal(ops.layer_norm(**few), one.outputs[0][700:713])


@native_only
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (dict(weight=torch.ones(5)), ["weight", "5", "8"]),
        (dict(bias=torch.ones(9)), ["bias", "9", "8"]),
        (dict(weight=torch.ones(1, 8)), ["weight", "1, 8"]),
        (dict(x=torch.ones(3, 8, dtype=torch.int64)), ["x", "int64|Long"]),
        (dict(x=torch.tensor(1.0)), ["x"]),
        (dict(weight=torch.ones(8, dtype=torch.int32)), ["weight", "int32|Int"]),
        (dict(eps=float("nan")), ["eps", "nan"]),
        (dict(eps=-1.0), ["eps", "-1"]),
    ],
)
def test_bad_input_is_named(change: dict[str, Any], words: list[str]) -> None:
    call = NormCase((3, 8)).build(torch.float32)
    assert_raises_naming(ops.layer_norm, {**call.tensors, **call.options, **change}, *words)
