"""The embedding against its oracle, its determinism, its messages."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from pytransformer import ops
from tests.cases.backend import native_only
from tests.cases.call import Call, evaluate
from tests.cases.compare import DTYPES, assert_bit_equal, check_against_oracle
from tests.cases.device import DEVICE, cpu_only, real_only
from tests.cases.embedding import CASES, EmbeddingCase
from tests.cases.messages import assert_raises_naming
from tests.cases.threads import threads


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_agrees_with_the_oracle(case: EmbeddingCase, dtype: torch.dtype) -> None:
    check_against_oracle(ops.embedding, case.build(dtype), dtype)


def test_dense_and_packed_are_the_same_rows() -> None:
    dense = EmbeddingCase((4, 4), dense=True, dropout_p=0.3).build(torch.float32)
    packed = EmbeddingCase((4, 4), dropout_p=0.3).build(torch.float32)
    assert_bit_equal(
        ops.embedding(**dense.tensors, **dense.options).flatten(0, 1),
        ops.embedding(**packed.tensors, **packed.options),
    )


def test_gives_the_dtype_it_is_asked_for() -> None:
    call = EmbeddingCase((4, 2)).build(torch.float32)
    weight = call.tensors["weight"].clone().requires_grad_()
    rows = ops.embedding(weight=weight, **call.options, dtype=torch.bfloat16)
    assert_bit_equal(rows, ops.embedding(**call.tensors, **call.options).bfloat16())
    rows.sum().backward()
    assert weight.grad is not None
    assert weight.grad.dtype == torch.float32


def test_a_token_met_again_adds_its_gradient() -> None:
    weight = torch.randn(3, 4, requires_grad=True)
    ops.embedding(torch.tensor([[1, 1, 2, 1]]), weight, scale=2.0).sum().backward()
    assert weight.grad is not None
    assert weight.grad[:, 0].tolist() == [0.0, 6.0, 2.0]


@native_only
@real_only
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_sparse_gradient_is_the_dense_one(case: EmbeddingCase, dtype: torch.dtype) -> None:
    call = case.build(dtype)
    sparse = Call(call.tensors, {**call.options, "sparse": True}, call.length, call.floor)
    expected = evaluate(ops.embedding, call).gradients["weight"]
    gradient = evaluate(ops.embedding, sparse).gradients["weight"]
    assert gradient.is_sparse == (DEVICE == "cpu")
    if gradient.is_sparse:
        assert gradient.is_coalesced()
        gradient = gradient.to_dense()
    assert_bit_equal(gradient, expected)


@native_only
@cpu_only
def test_a_sparse_gradient_holds_each_token_once() -> None:
    weight = torch.randn(9, 4, requires_grad=True)
    tokens = torch.tensor([[7, 2, 2, 5, 7]])
    rows = ops.embedding(tokens, weight, padding_idx=5, sparse=True)
    (gradient,) = torch.autograd.grad(rows.sum(), weight)
    assert gradient.indices().tolist() == [[2, 5, 7]]
    assert gradient.values()[:, 0].tolist() == [2.0, 0.0, 2.0]


def test_passes_gradcheck() -> None:
    call = EmbeddingCase((3, 2), width=5, positions="learned", dropout_p=0.2).build(torch.float64)
    leaves = [t.clone().requires_grad_() for t in call.tensors.values()]
    assert torch.autograd.gradcheck(
        lambda weight, positions: ops.embedding(weight=weight, positions=positions, **call.options),
        leaves,
    )


@cpu_only
@native_only
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_threads_change_no_bit(dtype: torch.dtype) -> None:
    call = EmbeddingCase((900, 700), positions="learned", dropout_p=0.1).build(dtype)
    results = []
    for count in (1, 2):
        with threads(count):
            results.append(evaluate(ops.embedding, call))
    one, two = results
    assert_bit_equal(one.outputs[0], two.outputs[0])
    for name, gradient in one.gradients.items():
        assert_bit_equal(gradient, two.gradients[name], name)


@native_only
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (dict(tokens=torch.tensor([0, 1, 11])), ["tokens", "11"]),
        (dict(tokens=torch.tensor([0, -1, 1])), ["tokens", "-1"]),
        (dict(tokens=torch.tensor([0, 1, 1], dtype=torch.int32)), ["tokens", "int32|Int"]),
        (dict(tokens=torch.tensor([[0, 1, 1]])), ["tokens", "1, 3"]),
        (dict(cu_seqlens=None), ["tokens|cu_seqlens", "3"]),
        (dict(cu_seqlens=torch.tensor([0, 2], dtype=torch.int32)), ["cu_seqlens", "2", "3"]),
        (dict(cu_seqlens=torch.tensor([1, 3], dtype=torch.int32)), ["cu_seqlens", "1", "0"]),
        (dict(cu_seqlens=torch.tensor([0, 5, 3], dtype=torch.int32)), ["cu_seqlens", "5", "3"]),
        (dict(weight=torch.ones(11)), ["weight", "11"]),
        (dict(positions="cosine"), ["positions", "cosine"]),
        (dict(positions=torch.ones(2, 16)), ["positions", "2", "3"]),
        (dict(positions=torch.ones(5, 15)), ["positions", "15", "16"]),
        (dict(dropout_p=2.0), ["dropout_p", "2"]),
        (dict(dtype=torch.float16), ["dtype", "Half"]),
        (dict(weight=torch.ones(11, 16).double(), dtype=torch.float32), ["weight", "Double"]),
        (dict(positions=torch.ones(5, 16).double()), ["positions", "Double"]),
        (dict(positions=[[1.0]]), ["positions", "1.0"]),
        (dict(padding_idx=11), ["padding_idx", "11"]),
        (dict(padding_idx=-1), ["padding_idx", "-1"]),
        (
            dict(
                tokens=torch.tensor([0, 1, 1]).to("meta"),
                weight=torch.ones(11, 16).to("meta"),
                cu_seqlens=torch.tensor([0, 3], dtype=torch.int32).to("meta"),
                sparse=True,
            ),
            ["sparse", "True"],
        ),
    ],
)
def test_bad_input_is_named(change: dict[str, Any], words: list[str]) -> None:
    call = EmbeddingCase((3,)).build(torch.float32)
    assert_raises_naming(ops.embedding, {**call.tensors, **call.options, **change}, *words)
