"""The weights of attention, alone."""

from __future__ import annotations

import pytest
import torch

from pytransformer import ops
from tests.cases.attention import CASES, AttentionCase
from tests.cases.call import Call
from tests.cases.compare import DTYPES, check_against_oracle


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_agrees_with_the_oracle(case: AttentionCase, dtype: torch.dtype) -> None:
    check_against_oracle(ops.attention_weights, _without_values(case.build(dtype)), dtype)


@pytest.mark.parametrize("dropout_p", [0.0, 0.3])
def test_passes_gradcheck(dropout_p: float) -> None:
    case = AttentionCase("small", (3, 4), (5, 2), head_dim=3, causal=True, dropout_p=dropout_p)
    call = case.build(torch.float64)
    leaves = [call.tensors[name].clone().requires_grad_() for name in ("q", "k")]
    assert torch.autograd.gradcheck(
        lambda q, k: ops.attention_weights(q, k, **call.options), leaves
    )


def test_times_values_they_are_attention() -> None:
    case = AttentionCase("dense", (6, 6), (9, 9), dense=True, causal=True, dropout_p=0.2)
    call = case.build(torch.float64)
    q, k, v = call.tensors.values()
    weights = ops.attention_weights(q, k, **call.options)  # [batch, heads, q, k]
    mixed = torch.einsum("bhqk,bkhd->bqhd", weights, v)
    torch.testing.assert_close(mixed, ops.attention(q, k, v, **call.options))


def test_lies_in_the_longest_sequences_rectangle() -> None:
    call = AttentionCase("packed", (3, 1), (2, 4)).build(torch.float32)
    weights = ops.attention_weights(call.tensors["q"], call.tensors["k"], **call.options)
    assert weights.shape == (2, 2, 3, 4)
    torch.testing.assert_close(weights[0].sum(-1), torch.ones(2, 3))
    assert bool((weights[0, :, :, 2:] == 0).all())
    assert bool((weights[1, :, 1:] == 0).all())


def test_the_hidden_are_zero_beside_a_visible_nan() -> None:
    q = torch.tensor([float("nan"), 1.0]).view(1, 2, 1, 1)
    weights = ops.attention_weights(q, torch.ones(1, 2, 1, 1), causal=True)
    assert bool(weights[0, 0, 0, 0].isnan())
    assert float(weights[0, 0, 0, 1]) == 0.0
    torch.testing.assert_close(weights[0, 0, 1], torch.full((2,), 0.5))


def _without_values(call: Call) -> Call:
    tensors = {name: call.tensors[name] for name in ("q", "k")}
    return Call(tensors, call.options, call.length, call.floor)
