"""The judge: its loss, what it leaves as it was, and that it lets go when asked."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import pytest
import torch

from pytransformer import Transformer
from pytransformer.data import ParallelDataset, TokenBatches, Tokenizer
from pytransformer.decoding import Translator
from pytransformer.training import TrainingConfig, train
from pytransformer.training.interrupt import StopRequest
from pytransformer.training.validation import Validation, Validator
from tests.cases.micro_run import config, read_log


@pytest.fixture
def parts(data: Path, tmp_path: Path) -> tuple[Validator, Transformer]:
    return _parts(config(data, tmp_path / "run"), data)


def _parts(chosen: TrainingConfig, data: Path) -> tuple[Validator, Transformer]:
    torch.manual_seed(0)
    tokenizer = Tokenizer.load(data)
    model = Transformer(chosen.model.transformer_config(tokenizer.vocab_size))
    return Validator(chosen, tokenizer), model


def test_loss_is_the_mean_over_all_tokens(data: Path, parts: tuple[Validator, Transformer]) -> None:
    validator, model = parts
    generator = torch.get_rng_state()
    model.train()
    result = validator.validate(model, lambda: False)
    assert model.training
    assert torch.equal(torch.get_rng_state(), generator)

    (batch,) = TokenBatches(ParallelDataset(data, "valid"), 10**6, seed=0, shuffle=False).epoch(0)
    model.eval()
    expected = model.loss(batch.src, batch.tgt, label_smoothing=0.0).item()
    assert result is not None
    assert result.loss == pytest.approx(expected, rel=1e-5)
    assert result.perplexity == pytest.approx(math.exp(expected), rel=1e-5)
    assert 0.0 <= result.bleu <= 100.0


@pytest.mark.parametrize("looks", range(2))
def test_it_lets_go_when_asked(parts: tuple[Validator, Transformer], looks: int) -> None:
    validator, model = parts
    answers = iter([False] * looks + [True] * 9)
    assert validator.validate(model, lambda: next(answers)) is None


@pytest.mark.parametrize(
    ("sentences", "samples", "shown"),
    [(0, 3, [0, 3, 6]), (4, 2, [0, 5]), (2, 3, [0, 5]), (0, 0, []), (3, 1, [0])],
)
def test_samples_are_some_of_what_is_scored(
    data: Path, tmp_path: Path, sentences: int, samples: int, shown: list[int]
) -> None:
    changes = {"validation__max_sentences": sentences, "validation__samples": samples}
    validator, model = _parts(config(data, tmp_path / "run", **changes), data)
    result = validator.validate(model, lambda: False)
    assert result is not None
    valid = ParallelDataset(data, "valid")
    sources, references = valid.source_text(), valid.target_text()
    translations = Translator(model.eval(), Tokenizer.load(data)).translate(sources, beam_size=1)
    assert [(one.source, one.reference, one.translation) for one in result.samples] == [
        (sources[index], references[index], translations[index]) for index in shown
    ]
    again = validator.validate(model, lambda: False)
    assert again == result


def test_samples_are_shown_and_logged(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train(config(data, tmp_path / "run", validation__every_steps=6, validation__samples=1))
    said = capsys.readouterr().err
    first, second = read_log(tmp_path / "run", "valid")
    (before,), (after,) = first["samples"], second["samples"]
    assert before["source"] == after["source"] == ParallelDataset(data, "valid").source_text()[0]
    for sample in (before, after):
        lines = [f"  {name:12} {sample[name]}\n" for name in ("source", "reference", "translation")]
        assert "".join(lines) in said


def test_rank() -> None:
    good, bad = Validation(loss=1.0, bleu=30.0), Validation(loss=0.9, bleu=20.0)
    assert good.rank("bleu") > bad.rank("bleu")
    assert bad.rank("loss") > good.rank("loss")
    assert Validation(loss=0.5, bleu=0.0).rank("bleu") > Validation(loss=0.6, bleu=0.0).rank("bleu")
    assert Validation(loss=1e4, bleu=0.0).perplexity == math.inf


def test_a_validation_cut_short_is_made_up_for(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "run"
    chosen = config(data, output, validation__every_steps=6)

    def interrupted(self: Validator, model: Transformer, stop: object) -> None:
        stop_request._note(2, None)

    stop_request = StopRequest()
    with monkeypatch.context() as patch:
        patch.setattr("pytransformer.training.run.StopRequest", lambda: stop_request)
        patch.setattr(Validator, "validate", interrupted)
        outcome = train(chosen)
    assert (outcome.signal, outcome.state.step) == (2, 6)
    assert read_log(output, "valid") == []
    train(chosen, resume=True)
    whole = tmp_path / "whole"
    train(
        dataclasses.replace(
            chosen, training=dataclasses.replace(chosen.training, output=str(whole))
        )
    )
    for kind in ("train", "valid"):
        resumed, straight = read_log(output, kind), read_log(whole, kind)
        assert [line["step"] for line in resumed] == [line["step"] for line in straight]
        assert [line["loss"] for line in resumed] == [line["loss"] for line in straight]
    assert (output / "best").resolve().name == (whole / "best").resolve().name
