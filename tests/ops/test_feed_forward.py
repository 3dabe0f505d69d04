"""The feed-forward layer against its oracle, its determinism, its messages."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from pytransformer import ops
from tests.cases.backend import native_only
from tests.cases.call import evaluate
from tests.cases.compare import DTYPES, assert_bit_equal, check_against_oracle
from tests.cases.device import cpu_only
from tests.cases.messages import assert_raises_naming
from tests.cases.rows import FEED_FORWARD_CASES, FeedForwardCase
from tests.cases.threads import threads


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("case", FEED_FORWARD_CASES, ids=lambda case: case.name)
def test_agrees_with_the_oracle(case: FeedForwardCase, dtype: torch.dtype) -> None:
    check_against_oracle(ops.feed_forward, case.build(dtype), dtype)


@pytest.mark.parametrize("activation", ["relu", "gelu", "silu"])
def test_passes_gradcheck(activation: str) -> None:
    call = FeedForwardCase((3, 5), 7, activation=activation, dropout_p=0.3).build(torch.float64)
    leaves = [t.clone().requires_grad_() for t in call.tensors.values()]

    def run(x: Tensor, w1: Tensor, b1: Tensor, w2: Tensor, b2: Tensor) -> Tensor:
        return ops.feed_forward(x, w1, b1, w2, b2, **call.options)

    assert torch.autograd.gradcheck(run, leaves)


@pytest.mark.parametrize("x", [-3e38, -200.0, 200.0])
def test_silu_of_large_numbers(x: float) -> None:
    one, zero = torch.ones(1, 1), torch.zeros(1)
    result = ops.feed_forward(torch.tensor([[x]]), one, zero, one, zero, "silu")
    assert float(result) == max(x, 0.0)


def test_dropout_follows_torchs_seed() -> None:
    call = FeedForwardCase((5, 8), 24).build(torch.float32)
    results = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        results.append(ops.feed_forward(**call.tensors, dropout_p=0.4))
    assert_bit_equal(results[0], results[1])
    assert not torch.equal(results[0], results[2])


@cpu_only
@native_only
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("dropout_p", [0.0, 0.2])
def test_threads_and_other_rows_change_no_bit(dropout_p: float, dtype: torch.dtype) -> None:
    call = FeedForwardCase((700, 40), 530, dropout_p=dropout_p).build(dtype)
    results = []
    for count in (1, 2):
        with threads(count):
            results.append(evaluate(ops.feed_forward, call))
    one, two = results
    assert_bit_equal(one.outputs[0], two.outputs[0])
    for name, gradient in one.gradients.items():
        assert_bit_equal(gradient, two.gradients[name], name)
    if dropout_p == 0.0:
        few = {**call.tensors, "x": call.tensors["x"][100:115]}
        assert_bit_equal(ops.feed_forward(**few, **call.options), one.outputs[0][100:115])


@native_only
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (dict(w1=torch.ones(12, 9)), ["w1", "9", "8"]),
        (dict(b1=torch.ones(11)), ["b1", "11", "12"]),
        (dict(w2=torch.ones(8, 11)), ["w2", "11", "12"]),
        (dict(b2=torch.ones(7)), ["b2", "7", "8"]),
        (dict(x=torch.ones(3, 8, dtype=torch.int64)), ["x", "int64|Long"]),
        (dict(activation="tanh"), ["activation", "tanh", "relu"]),
        (dict(dropout_p=1.0), ["dropout_p", "1"]),
        (dict(dropout_p=float("nan")), ["dropout_p", "nan"]),
    ],
)
def test_bad_input_is_named(change: dict[str, Any], words: list[str]) -> None:
    call = FeedForwardCase((3, 8), 12).build(torch.float32)
    assert_raises_naming(ops.feed_forward, {**call.tensors, **call.options, **change}, *words)
