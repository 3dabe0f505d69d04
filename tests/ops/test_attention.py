"""Attention against its oracle, its mask contract, its determinism, its messages."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from pytransformer import ops
from tests.cases.attention import CASES, AttentionCase, boundaries
from tests.cases.backend import native_only
from tests.cases.call import evaluate
from tests.cases.compare import DTYPES, assert_bit_equal, check_against_oracle
from tests.cases.device import DEVICE, cpu_only, real_only
from tests.cases.messages import assert_raises_naming
from tests.cases.threads import threads

SMALL = AttentionCase("small", (3, 4), (5, 2))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_agrees_with_the_oracle(case: AttentionCase, dtype: torch.dtype) -> None:
    check_against_oracle(ops.attention, case.build(dtype), dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_a_nan_that_only_the_last_query_sees_leaves_the_others_bit_equal(
    dtype: torch.dtype,
) -> None:
    case = AttentionCase("causal", (300,), (300,), heads=1, causal=True)
    clean = case.build(dtype)
    expected = ops.attention(**clean.tensors, **clean.options)
    for name in ("k", "v"):
        poisoned = dict(clean.tensors)
        poisoned[name] = clean.tensors[name].clone()
        poisoned[name][-1] = float("nan")
        result = ops.attention(**poisoned, **clean.options)
        assert_bit_equal(result[:-1], expected[:-1], f"rows before the NaN in {name}")
        assert bool(result[-1].isnan().all())


@pytest.mark.parametrize("mask", ["boolean", "infinite"])
def test_rows_that_see_nothing_are_exactly_zero(mask: str) -> None:
    hidden = torch.ones(4, 4, dtype=torch.bool)
    hidden[1] = False
    given = hidden if mask == "boolean" else torch.zeros(4, 4).masked_fill(~hidden, -torch.inf)
    q, k, v = (torch.randn(2, 4, 3, 8, requires_grad=True) for _ in range(3))
    output = ops.attention(q, k, v, mask=given)
    output.sum().backward()
    assert q.grad is not None
    assert bool((output[:, 1] == 0).all())
    assert bool((q.grad[:, 1] == 0).all())


def test_takes_max_seqlen_as_given() -> None:
    call = SMALL.build(torch.float32)
    computed = ops.attention(**call.tensors, **call.options)
    given = ops.attention(**call.tensors, **call.options, max_seqlen_q=4, max_seqlen_k=5)
    assert_bit_equal(given, computed)


@pytest.mark.parametrize("p", [0.1, 0.5])
def test_dropout_repeats_by_seed_and_follows_torchs(p: float) -> None:
    call = SMALL.build(torch.float32)

    def run(seed: int | None) -> torch.Tensor:
        return ops.attention(**call.tensors, **call.options, dropout_p=p, seed=seed)

    assert_bit_equal(run(5), run(5))
    assert not torch.equal(run(5), run(6))
    torch.manual_seed(1)
    first, second = run(None), run(None)
    torch.manual_seed(1)
    assert_bit_equal(run(None), first)
    assert not torch.equal(first, second)


@native_only
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("causal", [False, True])
def test_a_sequence_does_not_feel_its_batch(causal: bool, dtype: torch.dtype) -> None:
    lengths = (300, 7, 0, 33, 14)
    case = AttentionCase("batch", lengths, lengths, head_dim=24, causal=causal)
    whole = evaluate(ops.attention, case.build(dtype))
    call = case.build(dtype)
    offsets = boundaries(lengths).tolist()
    for index, length in enumerate(lengths):
        rows = slice(offsets[index], offsets[index + 1])
        own = boundaries((length,))
        options = {**call.options, "cu_seqlens_q": own, "cu_seqlens_k": own}
        alone = evaluate(
            ops.attention,
            type(call)(
                {name: tensor[rows] for name, tensor in call.tensors.items()},
                options,
                call.length,
                cotangents=(call.cotangents[0][rows],),
            ),
        )
        assert_bit_equal(alone.outputs[0], whole.outputs[0][rows])
        for name, gradient in alone.gradients.items():
            assert_bit_equal(gradient, whole.gradients[name][rows], name)


@cpu_only
@native_only
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("dropout_p", [0.0, 0.2])
def test_threads_change_no_bit(dropout_p: float, dtype: torch.dtype) -> None:
    lengths = (300, 7, 0, 33)
    case = AttentionCase("threads", lengths, lengths, causal=True, dropout_p=dropout_p)
    results = []
    for count in (1, 2):
        with threads(count):
            results.append(evaluate(ops.attention, case.build(dtype)))
    one, two = results
    assert_bit_equal(one.outputs[0], two.outputs[0])
    for name, gradient in one.gradients.items():
        assert_bit_equal(gradient, two.gradients[name], name)


@pytest.mark.parametrize("name", ["causal", "window", "boolean mask bhqk", "dropout", "length 33"])
def test_passes_gradcheck(name: str) -> None:
    case = next(case for case in CASES if case.name == name)
    call = case.build(torch.float64)
    leaves = [tensor[..., :5].clone().requires_grad_() for tensor in call.tensors.values()]
    assert torch.autograd.gradcheck(
        lambda q, k, v: ops.attention(q, k, v, **call.options), leaves, fast_mode=True
    )


@real_only
def test_follows_autocast() -> None:
    call = SMALL.build(torch.float32)
    with torch.autocast(DEVICE, torch.bfloat16):
        result = ops.attention(**call.tensors, **call.options)
    rounded = SMALL.build(torch.bfloat16)
    assert_bit_equal(result, ops.attention(**rounded.tensors, **rounded.options))


def test_a_finite_number_of_a_wider_mask_hides_nothing() -> None:
    q = torch.randn(1, 3, 1, 4)
    mask = torch.full((3, 3), -1e300, dtype=torch.float64)
    mask[1, 2] = float("-inf")
    expected = torch.full((3, 3), 1 / 3)
    expected[1] = torch.tensor([0.5, 0.5, 0.0])
    torch.testing.assert_close(ops.attention_weights(q, q, mask=mask)[0, 0], expected)


@pytest.mark.parametrize("lowest", [-1e9, torch.finfo(torch.float32).min])
def test_gradients_survive_a_mask_that_dwarfs_the_scores(lowest: float) -> None:
    q, k, v = (torch.randn(1, 5, 1, 4, requires_grad=True) for _ in range(3))
    ops.attention(q, k, v, mask=torch.full((5, 5), lowest)).sum().backward()
    assert v.grad is not None
    torch.testing.assert_close(v.grad, torch.ones(1, 5, 1, 4))


@native_only
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (dict(q=torch.zeros(7, 16)), ["q", "7, 16"]),
        (dict(k=torch.zeros(7, 2, 8)), ["k", "8", "16"]),
        (dict(k=torch.zeros(7, 3, 16)), ["k", "3", "2"]),
        (dict(v=torch.zeros(6, 2, 16)), ["v", "6", "7"]),
        (dict(v=torch.zeros(7, 2, 16, dtype=torch.float64)), ["v", "Double|float64"]),
        (dict(q=torch.zeros(7, 2, 16, dtype=torch.int64)), ["q", "int64|Long"]),
        (dict(q=torch.zeros(7, 2, 257)), ["q|k|head_dim", "257"]),
        (dict(cu_seqlens_k=None), ["cu_seqlens_k"]),
        (dict(cu_seqlens_q=boundaries((3, 4)).long()), ["cu_seqlens_q", "int64|Long"]),
        (dict(cu_seqlens_q=torch.tensor([1, 3, 7], dtype=torch.int32)), ["cu_seqlens_q", "1", "0"]),
        (dict(cu_seqlens_q=torch.tensor([0, 8, 7], dtype=torch.int32)), ["cu_seqlens_q", "8", "7"]),
        (dict(cu_seqlens_k=torch.tensor([0, 3, 6], dtype=torch.int32)), ["cu_seqlens_k", "6", "7"]),
        (dict(cu_seqlens_k=boundaries((7,))), ["cu_seqlens_k", "1|2", "2|3"]),
        (dict(max_seqlen_q=2), ["max_seqlen_q", "2", "4"]),
        (dict(max_seqlen_k=4), ["max_seqlen_k", "4", "5"]),
        (dict(max_seqlen_q=-7), ["max_seqlen_q", "-7"]),
        (dict(window=(-1, 2)), ["window", "-1"]),
        (dict(window=(1,)), ["window", "(1,)"]),
        (dict(window=5), ["window", "5"]),
        (dict(mask=torch.ones(3, 2, 4, 5, dtype=torch.bool)), ["mask", "3", "2"]),
        (dict(mask=torch.ones(4, 6, dtype=torch.bool)), ["mask", "6", "5"]),
        (dict(mask=torch.ones(4, 5, dtype=torch.int64)), ["mask", "int64|Long"]),
        (dict(mask=torch.zeros(4, 5, requires_grad=True)), ["mask", "grad"]),
        (dict(dropout_p=1.0), ["dropout_p", "1"]),
        (dict(dropout_p=-0.5), ["dropout_p", "-0.5"]),
        (dict(dropout_p=float("nan")), ["dropout_p", "nan"]),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, dict) else "",
)
def test_bad_input_is_named(change: dict[str, Any], words: list[str]) -> None:
    call = SMALL.build(torch.float32)
    assert_raises_naming(ops.attention, {**call.tensors, **call.options, **change}, *words)
