"""Aliases of one weight, and the sum of their gradients."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from pytransformer import ops
from tests.cases.backend import native_only
from tests.cases.compare import assert_bit_equal
from tests.cases.device import real_only

TOKENS = torch.tensor([[1, 3, 3, 0]])
TARGETS = torch.tensor([2, 0, 4])


def _weight() -> Tensor:
    return torch.randn(5, 8, dtype=torch.float64, requires_grad=True)


def _loss(x: Tensor, weights: tuple[Tensor, Tensor, Tensor], sparse: bool) -> Tensor:
    """A weight that is two embeddings and an output at once."""
    first = ops.embedding(TOKENS, weights[0], sparse=sparse)
    second = ops.embedding(TOKENS.flip(1), weights[1], scale=2.0, sparse=sparse)
    return ops.linear_cross_entropy(x, weights[2], TARGETS) + (first * second).sum()


@pytest.mark.parametrize("sparse", [False, True])
def test_gradients_are_added(sparse: bool) -> None:
    x, weight = torch.randn(3, 8, dtype=torch.float64), _weight()
    (expected,) = torch.autograd.grad(_loss(x, (weight,) * 3, sparse=False), weight)
    (gradient,) = torch.autograd.grad(_loss(x, ops.tied(weight, 3), sparse), weight)
    assert gradient.layout == torch.strided
    torch.testing.assert_close(gradient, expected)


def test_aliases_share_memory() -> None:
    weight = _weight()
    for alias in ops.tied(weight, 2):
        assert alias.data_ptr() == weight.data_ptr()
        assert_bit_equal(alias, weight)
    with torch.no_grad():
        assert [alias.requires_grad for alias in ops.tied(weight, 2)] in ([False] * 2, [True] * 2)


@native_only
def test_a_sum_of_sparse_gradients_is_dense() -> None:
    weight = _weight()
    first, second, _ = ops.tied(weight, 3)
    (ops.embedding(TOKENS, first, sparse=True) * 3).sum().backward()
    (ops.embedding(TOKENS, second, sparse=True) * 3).sum().backward()
    assert weight.grad is not None
    assert weight.grad.layout == torch.strided
    assert weight.grad[:, 0].tolist() == [6.0, 6.0, 0.0, 12.0, 0.0]


@native_only
def test_what_somebody_else_holds_is_not_added_to() -> None:
    """The loss keeps its gradients where the graph is kept, and so may a hook."""
    x, weight = torch.randn(3, 8, dtype=torch.float64), _weight()
    held: list[Tensor] = []
    aliases = ops.tied(weight, 3)
    aliases[2].register_hook(held.append)
    loss = _loss(x, aliases, sparse=True)
    (alone,) = torch.autograd.grad(ops.linear_cross_entropy(x, weight, TARGETS), weight)
    gradients = [
        torch.autograd.grad(loss, weight, retain_graph=kept)[0] for kept in (True, True, False)
    ]
    for gradient in gradients[1:]:
        assert_bit_equal(gradient, gradients[0])
    for gradient in held:
        assert_bit_equal(gradient, alone)


@native_only
@real_only
def test_a_gradient_of_its_own_becomes_the_sum() -> None:
    """Nothing as large as the weight is allocated beside the loss's gradient of it."""
    x, weight = torch.randn(3, 8), torch.randn(5, 8, requires_grad=True)
    loss = _loss(x, ops.tied(weight, 3), sparse=True)
    with torch.profiler.profile() as profile:
        loss.backward()
    names = {event.key for event in profile.key_averages()}
    assert "aten::add_" in names
    assert "aten::clone" not in names


def test_no_use_at_all_is_refused() -> None:
    with pytest.raises(ValueError, match=r"uses.*0"):
        ops.tied(_weight(), 0)
