"""``torch.compile(fullgraph=True)`` of a model step: the results of eager mode, one graph for
ragged batches of any size, a new dropout mask on each call."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor

import pytransformer as pt
from tests.cases.backend import native_only
from tests.cases.device import DEVICE, real_only
from tests.cases.layout import generator, integers

pytestmark = native_only

Loss = Callable[[pt.Packed, pt.Packed], Tensor]

_VOCABULARY = 40


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """No graph of another test is used."""
    torch.compiler.reset()
    yield
    torch.compiler.reset()


def _model(**changes: float | str | bool) -> pt.Transformer:
    torch.manual_seed(0)
    values = dict(d_model=32, heads=4, ff=48, encoder_layers=1, decoder_layers=1, dropout=0.0)
    config = pt.TransformerConfig.preset("tiny", vocab_size=_VOCABULARY, **(values | changes))
    return pt.Transformer(config)


def _batch(*lengths: tuple[int, int]) -> tuple[pt.Packed, pt.Packed]:
    """Sentence pairs of these lengths."""
    rng = generator(len(lengths))

    def sentences(side: int) -> pt.Packed:
        return pt.pack([integers(0, _VOCABULARY - 1, (pair[side],), rng) for pair in lengths])

    return sentences(0), sentences(1)


_BATCHES = (_batch((5, 7), (3, 2), (9, 4)), _batch((4, 3), (11, 13), (2, 6), (1, 5), (8, 8)))


def _compiled(model: pt.Transformer) -> Loss:
    return torch.compile(model.loss, backend="aot_eager", fullgraph=True, dynamic=True)


def _step(model: pt.Transformer, loss: Loss, batch: tuple[pt.Packed, pt.Packed]) -> list[Tensor]:
    """The loss and every gradient."""
    model.zero_grad()
    result = loss(*batch)
    result.backward()
    gradients = [p.grad.clone() for p in model.parameters() if p.grad is not None]
    assert len(gradients) == len(list(model.parameters()))
    return [result.detach(), *gradients]


def _assert_same(actual: list[Tensor], expected: list[Tensor]) -> None:
    for one, other in zip(actual, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "changes",
    [{}, dict(norm_first=True, positions="learned", activation="gelu")],
    ids=["paper", "variations"],
)
def test_a_step_equals_eager_mode_on_ragged_batches(changes: dict[str, str | bool]) -> None:
    model = _model(**changes)
    loss = _compiled(model)
    for batch in _BATCHES:
        _assert_same(_step(model, loss, batch), _step(model, model.loss, batch))


def test_another_batch_needs_no_other_graph() -> None:
    model = _model()
    loss = _compiled(model)
    _step(model, loss, _BATCHES[0])
    with torch.compiler.set_stance("fail_on_recompile"):
        _step(model, loss, _BATCHES[1])


def test_dropout_follows_torchs_generator_as_in_eager_mode() -> None:
    model = _model(dropout=0.3, attention_dropout=0.2, activation_dropout=0.1)
    loss = _compiled(model)
    torch.manual_seed(7)
    compiled = _step(model, loss, _BATCHES[0])
    torch.manual_seed(7)
    _assert_same(compiled, _step(model, model.loss, _BATCHES[0]))


def test_every_call_draws_new_masks() -> None:
    model = _model(dropout=0.3)
    loss = _compiled(model)
    torch.manual_seed(7)
    first, second = (float(loss(*_BATCHES[0]).detach()) for _ in range(2))
    torch.manual_seed(7)
    again = float(loss(*_BATCHES[0]).detach())
    assert first != second
    assert first == again


@real_only
def test_autocast() -> None:
    model = _model()
    loss = _compiled(model)
    with torch.autocast(DEVICE, torch.bfloat16):
        compiled = loss(*_BATCHES[0])
        eager = model.loss(*_BATCHES[0])
    compiled.backward()
    torch.testing.assert_close(compiled, eager, rtol=1e-2, atol=1e-2)


def test_inductor() -> None:
    model = _model(dropout=0.1)
    # Random numbers from torch's own generator, in eager mode's order.
    options = {"fallback_random": True}
    loss = torch.compile(model.loss, fullgraph=True, dynamic=True, options=options)
    for batch in _BATCHES:
        torch.manual_seed(3)
        compiled = _step(model, loss, batch)
        torch.manual_seed(3)
        _assert_same(compiled, _step(model, model.loss, batch))
