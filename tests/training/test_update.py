"""One update: accumulation equals a big batch, and what is not finite changes nothing."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from pytransformer import Transformer, TransformerConfig
from pytransformer.data import Batch, ParallelDataset, TokenBatches
from pytransformer.errors import UserError
from pytransformer.training import train
from pytransformer.training.config import TrainingOptions
from pytransformer.training.exchange import GradientExchange
from pytransformer.training.optimizer import create_optimizer
from pytransformer.training.processes import Processes
from pytransformer.training.stream import Position, Share
from pytransformer.training.update import accumulate_gradients, update
from tests.cases.micro_run import config, read_log

_OPTIONS = TrainingOptions(output="unused", clip_norm=1.0)
_ALONE = GradientExchange([], Processes())


def share(*batches: Batch) -> Share:
    predicted = sum(batch.tokens_target for batch in batches)
    tokens = predicted + sum(batch.tokens_source for batch in batches)
    return Share(
        batches, predicted, tokens, of_all=True, padding_saved=0.0, position=Position(0, 0, 1)
    )


@pytest.fixture
def model(data: Path) -> Transformer:
    torch.manual_seed(0)
    size = ParallelDataset(data, "train").vocab_size
    return Transformer(TransformerConfig.preset("tiny", vocab_size=size, d_model=16, dropout=0.0))


@pytest.fixture
def batch(data: Path) -> Callable[[int, int], Batch]:
    batches = TokenBatches(ParallelDataset(data, "train"), 300, seed=1)
    return lambda start, stop: batches.batch(np.arange(start, stop))


def test_accumulation_equals_one_big_batch(
    model: Transformer, batch: Callable[[int, int], Batch]
) -> None:
    model.double()
    parts = [batch(0, 3), batch(3, 20), batch(20, 21)]
    loss = sum(part.item() for part in accumulate_gradients(model, share(*parts), _OPTIONS, _ALONE))
    gradients = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    whole = batch(0, 21)
    expected = model.loss(whole.src, whole.tgt, _OPTIONS.label_smoothing)
    expected.backward()
    assert loss == pytest.approx(expected.item(), rel=1e-12)
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(gradients[name], parameter.grad, rtol=1e-9, atol=1e-14)


def test_an_update_lowers_the_loss_of_its_batch(
    model: Transformer, batch: Callable[[int, int], Batch]
) -> None:
    optimizer = create_optimizer(model, _OPTIONS)
    one = share(batch(0, 20))
    first = update(model, optimizer, one, 1e-3, _OPTIONS, _ALONE, float)
    second = update(model, optimizer, one, 1e-3, _OPTIONS, _ALONE, float)
    assert first.applied
    assert second.loss < first.loss
    assert first.tokens == batch(0, 20).tokens_source + batch(0, 20).tokens_target


def test_what_is_not_finite_changes_nothing(
    model: Transformer, batch: Callable[[int, int], Batch]
) -> None:
    optimizer = create_optimizer(model, _OPTIONS)
    parameter = model.encoder.layers[0].feed_forward.b1
    parameter.register_hook(lambda gradient: torch.full_like(gradient, math.nan))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    made = update(model, optimizer, share(batch(0, 5)), 1e-3, _OPTIONS, _ALONE, float)
    assert not made.applied
    assert math.isfinite(made.loss)
    assert not math.isfinite(made.grad_norm)
    assert not optimizer.state
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize("most", [10, 3])
def test_skipped_updates_in_a_row_end_a_run(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    import pytransformer.training.trainer as trainer

    calls = []

    def diverging(*arguments: object) -> object:
        calls.append(1)
        made = update(*arguments)  # type: ignore[arg-type]
        lost = len(calls) in (3, 4) or len(calls) > 6
        return dataclasses.replace(made, loss=math.nan, applied=False) if lost else made

    monkeypatch.setattr(trainer, "update", diverging)
    changes = {} if most == 10 else {"training__max_skipped": most}
    message = (
        rf"{most} updates in a row after step 4 .* the last one nan and \d.*"
        rf"\[training\] max_skipped = {most}; .*warmup_steps"
    )
    with pytest.raises(UserError, match=message):
        train(config(data, tmp_path / "run", **changes))
    assert len(calls) == 6 + most
    skipped = read_log(tmp_path / "run", "skip")
    assert [entry["step"] for entry in skipped] == [2, 2] + [4] * most
    assert [entry["skipped"] for entry in skipped] == list(range(1, 3 + most))
    assert {entry["loss"] for entry in skipped} == {"nan"}
