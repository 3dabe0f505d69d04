"""Attention of projections side by side: that of their slices, and its messages."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from pytransformer import ops
from tests.cases.attention import CASES, AttentionCase
from tests.cases.backend import native_only
from tests.cases.call import Call, evaluate
from tests.cases.compare import DTYPES, assert_bit_equal, check_against_oracle
from tests.cases.messages import assert_raises_naming

SELF = AttentionCase("self", (3, 4), (3, 4))
CROSS = AttentionCase("cross", (3, 4), (5, 2))


def _beside(case: AttentionCase, call: Call) -> Call:
    """The same call with heads side by side, and with them what belongs to one projection."""
    flat = {name: tensor.flatten(-2) for name, tensor in call.tensors.items()}
    options = {**call.options, "heads": case.heads}
    if case.lengths_q == case.lengths_k:
        options.pop("cu_seqlens_k", None)
        tensors = {"q": torch.cat([flat["q"], flat["k"], flat["v"]], -1)}
    else:
        tensors = {"q": flat["q"], "kv": torch.cat([flat["k"], flat["v"]], -1)}
    cotangents = tuple(cotangent.flatten(-2) for cotangent in call.cotangents)
    return Call(tensors, options, call.length, call.floor, cotangents)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_is_attention_of_the_slices(case: AttentionCase, dtype: torch.dtype) -> None:
    call = case.build(dtype)
    slices = evaluate(ops.attention, call)
    beside = evaluate(ops.multi_head_attention, _beside(case, call))
    assert_bit_equal(beside.outputs[0], slices.outputs[0].flatten(-2))
    expected = _beside(case, Call(slices.gradients, {}, 0)).tensors
    for name, gradient in beside.gradients.items():
        assert_bit_equal(gradient, expected[name], name)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("case", [SELF, CROSS], ids=lambda case: case.name)
def test_agrees_with_the_oracle(case: AttentionCase, dtype: torch.dtype) -> None:
    check_against_oracle(ops.multi_head_attention, _beside(case, case.build(dtype)), dtype)


@pytest.mark.parametrize("case", [SELF, CROSS], ids=lambda case: case.name)
def test_passes_gradcheck(case: AttentionCase) -> None:
    call = _beside(case, case.build(torch.float64))
    leaves = [t.clone().requires_grad_() for t in call.tensors.values()]
    assert torch.autograd.gradcheck(
        lambda *operands: ops.multi_head_attention(*operands, **call.options), leaves
    )


@native_only
def test_the_gradient_of_a_projection_is_one_tensor() -> None:
    call = _beside(SELF, SELF.build(torch.float32))
    leaf = call.tensors["q"].clone().requires_grad_()
    out = ops.multi_head_attention(leaf, **call.options)
    with torch.profiler.profile() as profile:
        out.sum().backward()
    assert {"aten::cat", "aten::stack"}.isdisjoint(e.key for e in profile.key_averages())


@native_only
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (dict(heads=0), ["heads", "0"]),
        (dict(heads=5), ["q", "7, 96", "15"]),
        (dict(q=torch.ones(7, 95)), ["q", "7, 95", "6"]),
        (dict(q=torch.ones(())), ["q"]),
        (dict(q=torch.ones(2, 3, 4, 96)), ["q", "2, 3, 4"]),
        (dict(kv=torch.ones(7, 192)), ["cu_seqlens_k"]),
        (dict(cu_seqlens_k=torch.tensor([0, 3, 7], dtype=torch.int32)), ["cu_seqlens_k", "kv"]),
        (dict(max_seqlen_k=4), ["max_seqlen_k", "kv"]),
        (dict(cu_seqlens_q=torch.tensor([0, 3, 8], dtype=torch.int32)), ["cu_seqlens", "8", "7"]),
        (dict(dropout_p=1.0), ["dropout_p", "1"]),
    ],
)
def test_bad_input_is_named(change: dict[str, Any], words: list[str]) -> None:
    call = _beside(SELF, SELF.build(torch.float32))
    arguments = {**call.tensors, **call.options, **change}
    assert_raises_naming(ops.multi_head_attention, arguments, *words)


@native_only
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (dict(kv=torch.ones(7, 63)), ["kv", "7, 63", "64"]),
        (dict(kv=torch.ones(7, 64).double()), ["k", "Double", "Float"]),
        (dict(heads=3), ["q", "7, 32", "3"]),
    ],
)
def test_bad_memory_is_named(change: dict[str, Any], words: list[str]) -> None:
    call = _beside(CROSS, CROSS.build(torch.float32))
    arguments = {**call.tensors, **call.options, **change}
    assert_raises_naming(ops.multi_head_attention, arguments, *words)
