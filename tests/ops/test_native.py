"""What every compiled op refuses, since it would go wrong without a word."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from pytransformer import ops
from tests.cases.backend import native_only

pytestmark = native_only

Call = tuple[Callable[..., Any], tuple[Tensor, ...]]


def _calls() -> dict[str, Call]:
    rows, square, vector = torch.randn(3, 4), torch.randn(4, 4), torch.randn(4)
    heads, beside = torch.randn(1, 3, 2, 4), (torch.randn(1, 3, 8), torch.randn(1, 3, 16))
    tokens, targets = torch.zeros(1, 3, dtype=torch.int64), torch.zeros(3, dtype=torch.int64)
    return {
        "linear": (ops.linear, (rows, square, vector)),
        "feed_forward": (ops.feed_forward, (rows, square, vector, square, vector)),
        "layer_norm": (ops.layer_norm, (rows, vector, vector)),
        "add_layer_norm": (ops.add_layer_norm, (rows, rows, vector, vector)),
        "linear_cross_entropy": (ops.linear_cross_entropy, (rows, square, targets)),
        "embedding": (ops.embedding, (tokens, square)),
        "attention": (ops.attention, (heads, heads, heads)),
        "multi_head_attention": (partial(ops.multi_head_attention, heads=2), beside),
        "attention_weights": (ops.attention_weights, (heads, heads)),
    }


@pytest.mark.parametrize("name", _calls())
def test_second_derivatives_are_refused(name: str) -> None:
    op, arguments = _calls()[name]
    leaves = [x.requires_grad_() if x.is_floating_point() else x for x in arguments]
    result = op(*leaves)
    total = (result[0] if isinstance(result, tuple) else result).sum()
    wanted = [leaf for leaf in leaves if leaf.requires_grad]
    with pytest.raises(RuntimeError, match=f"^{name}: second derivatives"):
        torch.autograd.grad(total, wanted, create_graph=True)


@pytest.mark.parametrize("name", _calls())
def test_tensors_without_data_are_not_mixed_with_others(name: str) -> None:
    op, arguments = _calls()[name]
    for index in range(len(arguments)):
        mixed = [x.to("meta") if i == index else x for i, x in enumerate(arguments)]
        with pytest.raises(ValueError, match=rf"^{name}: \w+ is on \w+, but \w+ is on \w+"):
            op(*mixed)


@pytest.mark.parametrize("name", _calls())
def test_tensors_without_data_give_shapes(name: str) -> None:
    op, arguments = _calls()[name]
    expected, given = op(*arguments), op(*(x.to("meta") for x in arguments))
    pairs = zip(expected, given, strict=True) if isinstance(given, tuple) else [(expected, given)]
    for real, empty in pairs:
        assert empty.device.type == "meta"
        assert (empty.shape, empty.dtype) == (real.shape, real.dtype)


def test_backward_checks_what_it_is_given() -> None:
    x, weight = torch.ones(3, 4), torch.ones(5, 4)
    with pytest.raises(ValueError, match=r"grad has shape \[3, 4\]; expected \[3, 5\]"):
        torch.ops.pytransformer.linear_backward(x, x, weight, [True] * 3)
    q = torch.ones(1, 3, 2, 4)
    statistics = torch.ones(3)
    options = (None, None, -1, -1, False, -1, -1, None, 0.5, 0.0, None)
    with pytest.raises(ValueError, match=r"statistics has shape \[3\]; expected \[2, 2, 3\]"):
        torch.ops.pytransformer.attention_backward(q, q, q, q, q, statistics, *options)
    four, three = torch.ones(4), torch.ones(3)
    with pytest.raises(ValueError, match=r"mean has shape \[4\]; expected \[3\]"):
        torch.ops.pytransformer.layer_norm_backward(x, x, four, four, three)
