"""A run that gets no better ends by itself, the same wherever it was stopped on the way."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from pytransformer.cli.main import main
from pytransformer.training import checkpoint, train
from pytransformer.training.state import TrainingState
from pytransformer.training.validation import Validation, Validator
from tests.cases.micro_run import config, read_log, write_config

_CHANGES = {
    "training__max_steps": 60,
    "validation__every_steps": 2,
    "validation__patience": 3,
}


@pytest.fixture
def judge(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """BLEU that validations give, one after another, put there by the test; then 1.0."""
    scores: list[float] = []

    def validate(*_: object) -> Validation:
        bleu = scores.pop(0) if scores else 1.0
        return Validation(loss=float("nan") if bleu < 0 else 5.0, bleu=bleu)

    monkeypatch.setattr(Validator, "validate", validate)
    return scores


def _give(judge: list[float], scores: Iterable[float]) -> None:
    judge[:] = scores


def _validated(output: Path) -> list[int]:
    return [entry["step"] for entry in read_log(output, "valid")]


def test_it_ends_after_so_many_validations_without_a_better_one(
    data: Path, tmp_path: Path, judge: list[float]
) -> None:
    # Better, worse, equal, better, then three that are not: one of them of no finite loss.
    _give(judge, [2.0, 1.0, 2.0, 3.0, 3.0, -1.0, 2.5, 9.0])
    outcome = train(config(data, tmp_path / "run", **_CHANGES))
    assert _validated(tmp_path / "run") == [2, 4, 6, 8, 10, 12, 14]
    assert (outcome.state.step, outcome.state.best_step) == (14, 8)
    assert outcome.reached == ["[validation] patience = 3: no better score in 3 validations"]
    assert outcome.signal is None
    assert (tmp_path / "run" / "last").resolve().name == "step-14"


def test_it_counts_on_after_a_stop(data: Path, tmp_path: Path, judge: list[float]) -> None:
    _give(judge, [2.0, 1.0, 1.5])
    output = tmp_path / "run"
    assert train(config(data, output, **{**_CHANGES, "training__max_steps": 6})).reached == [
        "[training] max_steps = 6"
    ]
    assert checkpoint.read_state(output / "last")[0].worse_in_a_row == 2
    _give(judge, [1.0, 9.0])
    outcome = train(config(data, output, **_CHANGES), resume=True)
    assert (outcome.state.step, _validated(output)) == (8, [2, 4, 6, 8])


def test_it_stays_ended_until_patience_is_raised(
    data: Path, tmp_path: Path, judge: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "run"
    path = write_config(tmp_path / "train.toml", data, output, **_CHANGES)
    said = "Done: 8 updates, up to [validation] patience = 3: no better score in 3 validations.\n"
    for command in (["train", str(path)], ["train", str(path), "--resume"]):
        assert main(command) == 0
        assert capsys.readouterr().out.startswith(said)
    assert len(read_log(output)) == 8
    assert _validated(output) == [2, 4, 6, 8]
    assert main(["train", str(path), "--resume", "--set", "validation.patience=4"]) == 0
    told = capsys.readouterr()
    assert "Done: 10 updates, up to [validation] patience = 4" in told.out
    assert "(4 of 4 without a better score)" in told.err


def test_without_patience_nothing_ends(data: Path, tmp_path: Path, judge: list[float]) -> None:
    outcome = train(config(data, tmp_path / "run", validation__every_steps=2))
    assert outcome.state.step == 12
    assert outcome.state.worse_in_a_row == 5


def test_a_state_from_before_there_was_a_count_is_read() -> None:
    values = TrainingState(step=3).to_dict()
    del values["worse_in_a_row"]
    assert TrainingState.from_dict(values) == TrainingState(step=3)
