"""``torch.library.opcheck`` on every registered op, with and without each optional argument:
schema, fake tensors, autograd, and tracing with dynamic shapes."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.cases.attention import boundaries
from tests.cases.backend import native_only
from tests.cases.layout import generator, normal

pytestmark = native_only

Args = tuple[Any, ...]
Make = Callable[..., Tensor]

_DTYPES = (torch.float32, torch.bfloat16)
_SEED = torch.tensor(12345, dtype=torch.int64, device="cpu")


def _maker(dtype: torch.dtype, grad: bool) -> Make:
    """Makes random tensors of a shape; those of ``dtype`` require grad when asked to."""
    rng = generator(3)

    def make(*shape: int, dtype: torch.dtype = dtype) -> Tensor:
        return normal(shape, rng, dtype).requires_grad_(grad)

    return make


def _dropout() -> Iterator[tuple[float, Tensor | None]]:
    yield 0.0, None
    yield 0.25, _SEED


def _linear(make: Make) -> Iterator[Args]:
    yield make(5, 7), make(3, 7), make(3)
    yield make(2, 5, 7), make(3, 7), None
    yield make(7), make(3, 7), make(3)


def _linear_backward(make: Make) -> Iterator[Args]:
    for wanted in itertools.product((False, True), repeat=3):
        yield make(2, 5, 3), make(2, 5, 7), make(3, 7), list(wanted)


def _feed_forward(make: Make) -> Iterator[Args]:
    for activation, dropout in itertools.product(("relu", "gelu", "silu"), _dropout()):
        yield make(5, 7), make(9, 7), make(9), make(4, 9), make(4), activation, *dropout
    yield make(2, 5, 7), make(9, 7), None, make(7, 9), None, "relu", 0.0, None


def _feed_forward_backward(make: Make) -> Iterator[Args]:
    shapes = ((2, 5, 4), (2, 5, 7), (9, 7), (4, 9), (10, 9))
    for activation, dropout in itertools.product(("relu", "gelu"), _dropout()):
        yield *(make(*shape) for shape in shapes), activation, *dropout, [True] * 5
    for wanted in ([True, False, True, False, True], [False] * 5):
        yield *(make(*shape) for shape in shapes), "silu", 0.0, None, wanted


def _layer_norm(make: Make) -> Iterator[Args]:
    yield make(5, 7), make(7), make(7), 1e-5
    yield make(2, 5, 7), make(7), make(7), 1e-5
    yield make(7), make(7), make(7), 1e-5


def _layer_norm_backward(make: Make) -> Iterator[Args]:
    statistics = [make(10, dtype=torch.float32) for _ in range(2)]
    yield make(2, 5, 7), make(2, 5, 7), make(7), *statistics


def _add_layer_norm(make: Make) -> Iterator[Args]:
    for dropout in _dropout():
        yield make(2, 5, 7), make(2, 5, 7), make(7), make(7), 1e-5, *dropout


def _add_layer_norm_backward(make: Make) -> Iterator[Args]:
    statistics = [make(10, dtype=torch.float32) for _ in range(2)]
    for dropout in _dropout():
        for grad_sum in (None, make(2, 5, 7)):
            yield make(2, 5, 7), grad_sum, make(2, 5, 7), make(7), *statistics, *dropout


def _targets() -> Tensor:
    return torch.tensor([1, 0, -100, 5, 2])


def _linear_cross_entropy(make: Make) -> Iterator[Args]:
    for reduction in ("mean", "sum", "none"):
        for bias in (None, make(7)):
            x, weight = make(5, 7), make(7, 7)
            for classes in (-1, 6, 7):
                yield x, weight, _targets(), bias, 0.1, -100, reduction, classes, x.requires_grad


def _linear_cross_entropy_backward(make: Make) -> Iterator[Args]:
    grad = make(5, dtype=torch.float32)
    for bias in (None, make(7)):
        for classes in (-1, 6):
            yield grad, make(5, 7), make(7, 7), _targets(), bias, 0.1, -100, classes


def _tokens() -> tuple[Tensor, Tensor]:
    return torch.tensor([3, 1, 1, 0, 5, 2]), boundaries((4, 0, 2))


def _embedding(make: Make) -> Iterator[Args]:
    tokens, ends = _tokens()
    for dropout in _dropout():
        weight = make(6, 7)
        yield tokens, weight, ends, -1, None, True, 2.0, *dropout, -1, weight.dtype, False
        yield tokens, make(6, 7), ends, 4, make(9, 7), False, 2.0, *dropout, 5, weight.dtype, False
        yield (
            tokens.view(2, 3),
            make(6, 7),
            None,
            -1,
            None,
            False,
            1.0,
            *dropout,
            0,
            weight.dtype,
            False,
        )
    yield (
        tokens,
        make(6, 7, dtype=torch.float32),
        ends,
        -1,
        None,
        True,
        2.0,
        0.0,
        None,
        -1,
        weight.dtype,
        False,
    )


def _embedding_backward(make: Make) -> Iterator[Args]:
    tokens, ends = _tokens()
    for dropout in _dropout():
        for wanted in itertools.product((False, True), repeat=2):
            learned = make(9, 7)
            options = (2.0, *dropout, 5, False, list(wanted))
            yield make(6, 7), tokens, make(6, 7), ends, learned, *options
        dense = tokens.view(2, 3)
        options = (2.0, *dropout, -1, False, [True, False])
        yield make(2, 3, 7), dense, make(6, 7), None, None, *options


def _attention_options() -> Iterator[tuple[tuple[int, ...], tuple[int, ...], Args]]:
    """Leading dimensions of q and of k, and the arguments after the operands."""
    packed = (boundaries((3, 0, 2)), boundaries((4, 1, 2)))
    visible = torch.arange(12).view(3, 4) % 5 != 0
    for dropout in _dropout():
        yield (5,), (7,), (*packed, 3, 4, False, -1, -1, None, 0.5, *dropout)
        yield (5,), (7,), (*packed, 3, 4, True, 2, 1, visible, 0.5, *dropout)
        yield (2, 3), (2, 4), (None, None, -1, -1, False, -1, -1, visible.float(), 0.5, *dropout)


def _attention(make: Make) -> Iterator[Args]:
    for q, k, options in _attention_options():
        yield make(*q, 2, 6), make(*k, 2, 6), make(*k, 2, 6), *options


def _attention_backward(make: Make) -> Iterator[Args]:
    for q, k, options in _attention_options():
        operands = [make(*q, 2, 6), make(*k, 2, 6), make(*k, 2, 6)]
        out, statistics = torch.ops.pytransformer.attention(*operands, *options)
        yield make(*q, 2, 6), *operands, out, statistics, *options


def _multi_head_attention_options() -> Iterator[tuple[tuple[int, ...], tuple[int, ...], Args]]:
    """As ``_attention_options``, with self-attention: no rows of keys."""
    yield from _attention_options()
    packed = boundaries((3, 0, 2))
    for dropout in _dropout():
        yield (5,), (), (packed, packed, 3, 3, True, -1, -1, None, 0.5, *dropout)
        yield (2, 3), (), (None, None, -1, -1, False, -1, -1, None, 0.5, *dropout)


def _multi_head_attention(make: Make) -> Iterator[Args]:
    for q, k, options in _multi_head_attention_options():
        yield make(*q, 12 if k else 36), make(*k, 24) if k else None, 2, *options


def _multi_head_attention_backward(make: Make) -> Iterator[Args]:
    for q, k, options in _multi_head_attention_options():
        operands = make(*q, 12 if k else 36), make(*k, 24) if k else None
        out, statistics = torch.ops.pytransformer.multi_head_attention(*operands, 2, *options)
        yield make(*q, 12), *operands, out, statistics, 2, *options


def _attention_weights(make: Make) -> Iterator[Args]:
    for q, k, options in _attention_options():
        yield make(*q, 2, 6), make(*k, 2, 6), *options


def _attention_weights_backward(make: Make) -> Iterator[Args]:
    for q, k, options in _attention_options():
        batch = 3 if len(q) == 1 else 2
        yield make(batch, 2, 3, 4), make(*q, 2, 6), make(*k, 2, 6), *options


def _top_log_probs(make: Make) -> Iterator[Args]:
    yield make(5, 7).detach(), 3


def _sum_of_squares(make: Make) -> Iterator[Args]:
    yield ([make(5, 7).detach(), make(3, dtype=torch.float32).detach()],)


def _orthogonalize(make: Make) -> Iterator[Args]:
    yield make(3, 5, 7).detach(), 2


_SAMPLES: dict[str, Callable[[Make], Iterator[Args]]] = {
    "linear": _linear,
    "linear_backward": _linear_backward,
    "feed_forward": _feed_forward,
    "feed_forward_backward": _feed_forward_backward,
    "layer_norm": _layer_norm,
    "layer_norm_backward": _layer_norm_backward,
    "add_layer_norm": _add_layer_norm,
    "add_layer_norm_backward": _add_layer_norm_backward,
    "linear_cross_entropy": _linear_cross_entropy,
    "linear_cross_entropy_backward": _linear_cross_entropy_backward,
    "embedding": _embedding,
    "embedding_backward": _embedding_backward,
    "attention": _attention,
    "attention_backward": _attention_backward,
    "multi_head_attention": _multi_head_attention,
    "multi_head_attention_backward": _multi_head_attention_backward,
    "attention_weights": _attention_weights,
    "attention_weights_backward": _attention_weights_backward,
    "top_log_probs": _top_log_probs,
    "sum_of_squares": _sum_of_squares,
    "orthogonalize": _orthogonalize,
}


def _check(name: str, args: Args) -> None:
    try:
        torch.library.opcheck(getattr(torch.ops.pytransformer, name).default, args)
    except Exception as error:
        error.add_note(f"{name}{args}")
        raise


# Gives aliases of its argument, which torch cannot trace in an op that is not its own; ops.tied
# does not call it where something is traced.
_NEVER_TRACED = {"tied"}


def test_every_op_is_checked() -> None:
    schemas = {schema.name for schema in torch._C._jit_get_all_schemas()}
    registered = {
        name.removeprefix("pytransformer::") for name in schemas if "pytransformer::" in name
    }
    assert registered - _NEVER_TRACED == set(_SAMPLES)


@pytest.mark.parametrize("dtype", _DTYPES, ids=str)
@pytest.mark.parametrize("name", _SAMPLES)
def test_passes_opcheck(name: str, dtype: torch.dtype) -> None:
    for args in _SAMPLES[name](_maker(dtype, grad=False)):
        _check(name, args)


@pytest.mark.parametrize("dtype", _DTYPES, ids=str)
@pytest.mark.parametrize("name", [name for name in _SAMPLES if f"{name}_backward" in _SAMPLES])
def test_passes_opcheck_with_gradients(name: str, dtype: torch.dtype) -> None:
    for args in _SAMPLES[name](_maker(dtype, grad=True)):
        _check(name, args)
