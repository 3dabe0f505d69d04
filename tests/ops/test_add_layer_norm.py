"""Dropout, residual addition and layer norm in one."""

from __future__ import annotations

from dataclasses import replace
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
from tests.cases.rows import NORM_CASES, NormCase
from tests.cases.threads import threads


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("case", NORM_CASES, ids=lambda case: case.name)
def test_agrees_with_the_oracle(case: NormCase, dtype: torch.dtype) -> None:
    check_against_oracle(ops.add_layer_norm, case.build(dtype, residual=True), dtype)


@pytest.mark.parametrize("output", [0, 1])
def test_either_output_may_go_unused(output: int) -> None:
    call = NormCase((5, 24), dropout_p=0.3).build(torch.float64, residual=True)
    leaves = {name: t.clone().requires_grad_() for name, t in call.tensors.items()}
    outputs = ops.add_layer_norm(**leaves, **call.options)
    cotangent = torch.randn(5, 24, dtype=torch.float64)
    alone = torch.autograd.grad(outputs[output], [leaves["x"], leaves["residual"]], cotangent)
    cotangents = [torch.zeros_like(cotangent), torch.zeros_like(cotangent)]
    cotangents[output] = cotangent
    outputs = ops.add_layer_norm(**leaves, **call.options)
    both = torch.autograd.grad(outputs, [leaves["x"], leaves["residual"]], cotangents)
    for one, other in zip(alone, both, strict=True):
        torch.testing.assert_close(one, other)


def test_passes_gradcheck() -> None:
    call = NormCase((3, 7), dropout_p=0.3).build(torch.float64, residual=True)
    leaves = [t.clone().requires_grad_() for t in call.tensors.values()]

    def run(x: Tensor, residual: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor, ...]:
        return ops.add_layer_norm(x, residual, weight, bias, **call.options)

    assert torch.autograd.gradcheck(run, leaves)


def test_a_dropout_that_drops_nothing_has_gradients() -> None:
    call = NormCase((5, 24)).build(torch.float32, residual=True)
    never, hardly = (
        evaluate(ops.add_layer_norm, replace(call, options=dict(dropout_p=p, seed=7)))
        for p in (0.0, 1e-11)
    )
    for name, gradient in never.gradients.items():
        assert_bit_equal(gradient, hardly.gradients[name], name)


def test_dropout_follows_torchs_seed() -> None:
    call = NormCase((5, 24)).build(torch.float32, residual=True)
    results = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        results.append(ops.add_layer_norm(**call.tensors, dropout_p=0.4)[1])
    assert_bit_equal(results[0], results[1])
    assert not torch.equal(results[0], results[2])


@cpu_only
@native_only
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_threads_change_no_bit(dtype: torch.dtype) -> None:
    call = NormCase((1500, 48), dropout_p=0.2).build(dtype, residual=True)
    results = []
    for count in (1, 2):
        with threads(count):
            results.append(evaluate(ops.add_layer_norm, call))
    one, two = results
    for index in (0, 1):
        assert_bit_equal(one.outputs[index], two.outputs[index])
    for name, gradient in one.gradients.items():
        assert_bit_equal(gradient, two.gradients[name], name)


@native_only
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (dict(residual=torch.ones(4, 8)), ["residual", "4, 8", "3, 8"]),
        (
            dict(residual=torch.ones(3, 8, dtype=torch.float64)),
            ["residual", "double|float64|Double"],
        ),
        (dict(weight=torch.ones(5)), ["weight", "5", "8"]),
        (dict(bias=torch.ones(9)), ["bias", "9", "8"]),
        (dict(dropout_p=1.5), ["dropout_p", "1.5"]),
        (dict(dropout_p=-0.1), ["dropout_p", "-0.1"]),
    ],
)
def test_bad_input_is_named(change: dict[str, Any], words: list[str]) -> None:
    call = NormCase((3, 8)).build(torch.float32, residual=True)
    assert_raises_naming(ops.add_layer_norm, {**call.tensors, **call.options, **change}, *words)
