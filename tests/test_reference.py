"""The oracle against torch's own functions, against definitions, and against published vectors."""

from __future__ import annotations

import inspect
import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from pytransformer import ops, reference
from pytransformer.positions import sinusoids
from pytransformer.reference.dropout import philox4x32
from tests.cases import attention as attention_cases
from tests.cases import linear_cross_entropy as cross_entropy_cases
from tests.cases.attention import AttentionCase, visible
from tests.cases.call import evaluate
from tests.cases.linear_cross_entropy import CrossEntropyCase

DOUBLE = torch.float64


@pytest.mark.parametrize("name", [name for name in ops.__all__ if name != "BACKEND"])
def test_every_op_has_the_same_arguments_in_both_backends(name: str) -> None:
    public, oracle = getattr(ops, name), getattr(reference, name)
    one, other = inspect.signature(public).parameters, inspect.signature(oracle).parameters
    assert [(p.name, p.kind, p.default) for p in one.values()] == [
        (p.name, p.kind, p.default) for p in other.values()
    ]


# Known answers published with Random123: counter, key, output.
PHILOX = (
    (
        "00000000 00000000 00000000 00000000",
        "00000000 00000000",
        "6627e8d5 e169c58d bc57ac4c 9b00dbd8",
    ),
    (
        "ffffffff ffffffff ffffffff ffffffff",
        "ffffffff ffffffff",
        "408f276d 41c83b0e a20bc7c6 6d5451fd",
    ),
    (
        "243f6a88 85a308d3 13198a2e 03707344",
        "a4093822 299f31d0",
        "d16cfe09 94fdcceb 5001e420 24126ea1",
    ),
)


@pytest.mark.parametrize(("counter", "key", "expected"), PHILOX)
def test_philox_gives_the_published_answers(counter: str, key: str, expected: str) -> None:
    a, b, c, d = (torch.tensor(int(word, 16)) for word in counter.split())
    low, high = (int(word, 16) for word in key.split())
    words = philox4x32((a, b, c, d), (low, high))
    assert " ".join(f"{int(word):08x}" for word in words) == expected


def test_row_dropout_uses_the_documented_counter() -> None:
    p, seed, width = 0.25, -5, 11
    ones = torch.ones(3, width, dtype=DOUBLE)
    zeros, unit = torch.zeros_like(ones), torch.ones(width, dtype=DOUBLE)
    _, dropped = reference.add_layer_norm(ones, zeros, unit, unit, dropout_p=p, seed=seed)
    key = (seed & 0xFFFFFFFF, (seed >> 32) & 0xFFFFFFFF)
    for row in range(3):
        for column in range(width):
            counter = tuple(torch.tensor(n) for n in (column // 4, row, 0, 0))
            kept = int(philox4x32(counter, key)[column % 4]) >= math.floor(p * 2**32)
            assert float(dropped[row, column]) == (1.0 / (1.0 - p) if kept else 0.0)


def test_attention_dropout_uses_the_documented_counter() -> None:
    p, seed, heads = 0.4, 2**40 + 17, 2
    lengths = (3, 6)
    q = torch.zeros(sum(lengths), heads, 4, dtype=DOUBLE)
    cu_seqlens = attention_cases.boundaries(lengths)
    weights = reference.attention_weights(
        q, q, cu_seqlens_q=cu_seqlens, cu_seqlens_k=cu_seqlens, dropout_p=p, seed=seed
    )
    key = (seed & 0xFFFFFFFF, seed >> 32)
    for sequence, length in enumerate(lengths):
        for head in range(heads):
            for i in range(length):
                for j in range(length):
                    counter = tuple(
                        torch.tensor(n) for n in (j // 4, i, sequence * heads + head, 1)
                    )
                    word = int(philox4x32(counter, key)[j % 4])
                    expected = 1.0 / length / (1.0 - p) if word >= math.floor(p * 2**32) else 0.0
                    assert float(weights[sequence, head, i, j]) == pytest.approx(expected)


def test_a_seed_is_drawn_from_torchs_generator() -> None:
    x, unit = torch.ones(20, 30), torch.ones(30)

    def dropped() -> Tensor:
        return reference.add_layer_norm(x, x, unit, unit, dropout_p=0.5)[1]

    torch.manual_seed(3)
    first, second = dropped(), dropped()
    torch.manual_seed(3)
    assert torch.equal(dropped(), first)
    assert not torch.equal(first, second)


def _by_torch(case: AttentionCase, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
    """Sequence by sequence through torch, with the visible pairs worked out one by one."""
    starts_q = attention_cases.boundaries(case.lengths_q).tolist()
    starts_k = attention_cases.boundaries(case.lengths_k).tolist()
    results = []
    for index in range(len(case.lengths_q)):
        rows = slice(starts_q[index], starts_q[index + 1])
        columns = slice(starts_k[index], starts_k[index + 1])
        seen = visible(case, mask, index)
        bias = torch.zeros(seen.shape, dtype=DOUBLE).masked_fill(~seen, -math.inf)
        if mask is not None and mask.dtype != torch.bool:
            whole = (len(starts_q) - 1, case.heads, max(case.lengths_q), max(case.lengths_k))
            bias = bias + mask.expand(whole)[index, :, : seen.shape[1], : seen.shape[2]]
        parts = [x.transpose(0, 1) for x in (q[rows], k[columns], v[columns])]
        out = F.scaled_dot_product_attention(*parts, attn_mask=bias, scale=case.scale)
        results.append(out.transpose(0, 1))
    return torch.cat(results)


COMPARABLE = [
    case
    for case in attention_cases.CASES
    if not (case.poison or case.dropout_p or case.dense) and max(case.lengths_q) < 40
]


@pytest.mark.parametrize("case", COMPARABLE, ids=lambda case: case.name)
def test_attention_is_torchs_where_every_row_sees_a_key(case: AttentionCase) -> None:
    call = case.build(DOUBLE)
    mask = call.options.get("mask")
    ours = evaluate(reference.attention, call)
    theirs = evaluate(lambda q, k, v, **_: _by_torch(case, q, k, v, mask), call)
    blind = torch.cat(
        [~visible(case, mask, i).any(-1).transpose(0, 1) for i in range(len(case.lengths_q))]
    )
    assert bool((ours.outputs[0][blind] == 0).all())
    torch.testing.assert_close(
        ours.outputs[0][~blind], theirs.outputs[0][~blind], rtol=0, atol=1e-12
    )
    if not bool(blind.any()):
        for name, gradient in ours.gradients.items():
            torch.testing.assert_close(gradient, theirs.gradients[name], rtol=0, atol=1e-11)


POISONED = [case for case in attention_cases.CASES if case.poison]


@pytest.mark.parametrize("case", POISONED, ids=lambda case: case.name)
def test_what_hidden_slots_hold_reaches_nothing(case: AttentionCase) -> None:
    call = case.build(DOUBLE)
    assert any(not bool(tensor.isfinite().all()) for tensor in call.tensors.values())
    result = evaluate(reference.attention, call)
    assert bool(result.outputs[0].isfinite().all())
    assert all(bool(gradient.isfinite().all()) for gradient in result.gradients.values())


@pytest.mark.parametrize("case", cross_entropy_cases.CASES, ids=lambda case: case.name)
def test_linear_cross_entropy_is_torchs(case: CrossEntropyCase) -> None:
    call = case.build(DOUBLE)

    def by_torch(
        x: Tensor,
        weight: Tensor,
        targets: Tensor,
        bias: Tensor | None = None,
        classes: int | None = None,
        **options: object,
    ) -> Tensor:
        return F.cross_entropy(F.linear(x, weight, bias)[:, :classes], targets, **options)

    ours, theirs = evaluate(reference.linear_cross_entropy, call), evaluate(by_torch, call)
    torch.testing.assert_close(
        ours.outputs[0], theirs.outputs[0], rtol=1e-12, atol=1e-12, equal_nan=True
    )
    for name, gradient in ours.gradients.items():
        torch.testing.assert_close(gradient, theirs.gradients[name], rtol=1e-11, atol=1e-12)


def test_layer_norm_is_torchs() -> None:
    x, residual = torch.randn(2, 5, 24, dtype=DOUBLE), torch.randn(2, 5, 24, dtype=DOUBLE)
    weight, bias = torch.randn(24, dtype=DOUBLE), torch.randn(24, dtype=DOUBLE)
    torch.testing.assert_close(
        reference.layer_norm(x, weight, bias, 1e-3), F.layer_norm(x, (24,), weight, bias, 1e-3)
    )
    normalized, total = reference.add_layer_norm(x, residual, weight, bias)
    assert torch.equal(total, x + residual)
    torch.testing.assert_close(normalized, F.layer_norm(total, (24,), weight, bias))


@pytest.mark.parametrize("activation", ["relu", "gelu", "silu"])
def test_feed_forward_is_two_linears(activation: str) -> None:
    x, w1, w2 = (torch.randn(shape, dtype=DOUBLE) for shape in ((2, 5, 6), (9, 6), (4, 9)))
    b1, b2 = torch.randn(9, dtype=DOUBLE), torch.randn(4, dtype=DOUBLE)
    hidden = getattr(F, activation)(F.linear(x, w1, b1))
    torch.testing.assert_close(
        reference.feed_forward(x, w1, b1, w2, b2, activation), F.linear(hidden, w2, b2)
    )


def test_embedding_counts_positions_from_each_sequences_beginning() -> None:
    weight = torch.randn(7, 6, dtype=DOUBLE)
    tokens = torch.tensor([3, 0, 6, 6, 1])
    cu_seqlens = torch.tensor([0, 2, 2, 5], dtype=torch.int32)
    rows = reference.embedding(tokens, weight, cu_seqlens, scale=2.0)
    expected = 2.0 * weight[tokens] + sinusoids(3, 6)[torch.tensor([0, 1, 0, 1, 2])]
    torch.testing.assert_close(rows, expected)


def test_the_padding_row_receives_no_gradient() -> None:
    weight = torch.randn(4, 6, dtype=DOUBLE, requires_grad=True)
    tokens = torch.tensor([[3, 1, 3, 0]])
    reference.embedding(tokens, weight, padding_idx=3).sum().backward()
    assert weight.grad is not None
    assert weight.grad[:, 0].tolist() == [1.0, 1.0, 0.0, 0.0]


def test_bfloat16_is_computed_in_float32_and_rounded_once() -> None:
    x, weight = torch.randn(9, 300).bfloat16(), torch.randn(5, 300)
    exact = x.double() @ weight.bfloat16().double().t()
    rows = reference.linear(x, weight)
    assert rows.dtype == torch.bfloat16
    assert float((rows.double() - exact).abs().max()) <= float(exact.abs().max()) * 2.0**-8


def test_top_log_probs_breaks_ties_towards_the_lower_id() -> None:
    logits = torch.tensor([[0.0, 2.0, 1.0, 2.0, 2.0], [-1.0, -1.0, -math.inf, -1.0, -1.0]])
    values, indices = reference.top_log_probs(logits, 3)
    assert indices.tolist() == [[1, 3, 4], [0, 1, 3]]
    torch.testing.assert_close(values, logits.log_softmax(-1).gather(1, indices))
