"""The fused output projection and loss against its oracle, its determinism, its messages."""

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
from tests.cases.linear_cross_entropy import CASES, CrossEntropyCase
from tests.cases.messages import assert_raises_naming
from tests.cases.threads import threads


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_agrees_with_the_oracle(case: CrossEntropyCase, dtype: torch.dtype) -> None:
    check_against_oracle(ops.linear_cross_entropy, case.build(dtype), dtype)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_passes_gradcheck(reduction: str) -> None:
    case = CrossEntropyCase(5, 7, width=3, bias=True, ignored=1, reduction=reduction)
    call = case.build(torch.float64)
    leaves = [t.clone().requires_grad_() for t in call.tensors.values()]

    def run(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return ops.linear_cross_entropy(x, weight, bias=bias, **call.options)

    assert torch.autograd.gradcheck(run, leaves)


def test_the_loss_is_float32_for_bfloat16_rows() -> None:
    call = CrossEntropyCase(5, 7, parameters=torch.float32).build(torch.bfloat16)
    assert ops.linear_cross_entropy(**call.tensors, **call.options).dtype == torch.float32


def test_a_target_that_is_excluded_costs_infinity_with_smoothing() -> None:
    bias = torch.tensor([float("-inf"), 0.0, 0.0])
    x, weight, targets = torch.ones(1, 1), torch.zeros(3, 1), torch.tensor([0])
    loss = ops.linear_cross_entropy(x, weight, targets, bias, label_smoothing=0.1)
    assert float(loss) == float("inf")


def test_an_incoming_gradient_scales_what_was_computed_ahead() -> None:
    call = CrossEntropyCase(9, 13).build(torch.float64)
    gradients = []
    for factor in (1.0, 8.0):
        leaves = {name: t.clone().requires_grad_() for name, t in call.tensors.items()}
        (factor * ops.linear_cross_entropy(**leaves, **call.options)).backward()
        gradients.append(leaves["x"].grad)
    torch.testing.assert_close(gradients[1], 8.0 * gradients[0])


@cpu_only
@native_only
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_threads_change_no_bit(reduction: str, dtype: torch.dtype) -> None:
    call = CrossEntropyCase(1300, 67, reduction=reduction, bias=True, ignored=1).build(dtype)
    results = []
    for count in (1, 2):
        with threads(count):
            results.append(evaluate(ops.linear_cross_entropy, call))
    one, two = results
    assert_bit_equal(one.outputs[0], two.outputs[0])
    for name, gradient in one.gradients.items():
        assert_bit_equal(gradient, two.gradients[name], name)


@native_only
def test_a_rows_loss_does_not_feel_the_others() -> None:
    call = CrossEntropyCase(700, 67, reduction="none").build(torch.float32)
    whole = ops.linear_cross_entropy(**call.tensors, **call.options)
    rows = slice(333, 348)
    few = {**call.tensors, "x": call.tensors["x"][rows]}
    options = {**call.options, "targets": call.options["targets"][rows]}
    assert_bit_equal(ops.linear_cross_entropy(**few, **options), whole[rows])


@native_only
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (dict(targets=torch.tensor([0, 5, 1])), ["targets", "5"]),
        (dict(targets=torch.tensor([0, -1, 1])), ["targets", "-1"]),
        (dict(targets=torch.tensor([0, 1])), ["targets", "2", "3"]),
        (dict(targets=torch.tensor([0, 1, 1], dtype=torch.int32)), ["targets", "int32|Int"]),
        (dict(weight=torch.ones(5, 9)), ["weight", "9", "8"]),
        (dict(bias=torch.ones(4)), ["bias", "4", "5"]),
        (dict(x=torch.ones(3)), ["x"]),
        (dict(label_smoothing=float("nan")), ["label_smoothing", "nan"]),
        (dict(label_smoothing=1.5), ["label_smoothing", "1.5"]),
        (dict(label_smoothing=-0.1), ["label_smoothing", "-0.1"]),
        (dict(reduction="average"), ["reduction", "average", "mean"]),
        (dict(classes=0), ["classes", "0", "5"]),
        (dict(classes=6), ["classes", "6", "5"]),
        (dict(classes=-1), ["classes", "-1", "5"]),
        (dict(classes=2, targets=torch.tensor([0, 2, 1])), ["targets", "2"]),
    ],
)
def test_bad_input_is_named(change: dict[str, Any], words: list[str]) -> None:
    call = CrossEntropyCase(3, 5, width=8).build(torch.float32)
    arguments = {**call.tensors, **call.options, **change}
    assert_raises_naming(ops.linear_cross_entropy, arguments, *words)
