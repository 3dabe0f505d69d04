"""Runs on several corpora, and with BPE dropout."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pytransformer.data import ParallelDataset, TokenBatches, prepare
from pytransformer.data.mixture import Mixture
from pytransformer.errors import UserError
from pytransformer.training import train
from tests.cases.micro_run import config, read_log, same_bits, write_text


def test_several_corpora_are_learned_from_by_weight(data: Path, tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    prepare(*write_text(tmp_path / "more", 60), tmp_path / "other", tokenizer=data)
    both = [ParallelDataset(data), ParallelDataset(tmp_path / "other")]
    plans = TokenBatches(Mixture(both, [0.5, 3]), 300, seed=1)
    mixed = {
        "data__more_directories": [str(tmp_path / "other")],
        "data__weights": [0.5, 3],
        "training__max_steps": 0,
        "training__max_epochs": 2,
    }
    outcome = train(config(data, tmp_path / "run", **mixed))
    assert outcome.state.step == len(plans.plan(0)) + len(plans.plan(1))
    assert len(plans.plan(0).order) == round(len(both[0]) / 2) + 3 * len(both[1])
    told = json.loads((tmp_path / "run" / "model" / "training.json").read_text(encoding="utf-8"))
    assert len(told["data"]) == 2
    assert told["config"]["data"]["weights"] == [0.5, 3]

    train(config(data, tmp_path / "parts", **{**mixed, "training__max_epochs": 1}))
    train(config(data, tmp_path / "parts", **mixed), resume=True)
    assert same_bits(tmp_path / "run", tmp_path / "parts")


def test_what_cannot_be_mixed_is_refused(data: Path, tmp_path: Path) -> None:
    missing = config(data, tmp_path / "run", data__more_directories=["nowhere"])
    with pytest.raises(UserError, match=r"\[data\] more_directories\[0\] = nowhere: info.json is"):
        train(missing)
    prepare(*write_text(tmp_path), tmp_path / "strange", vocab_size=50)
    strange = config(data, tmp_path / "run", data__more_directories=[str(tmp_path / "strange")])
    with pytest.raises(UserError, match=r"\[data\] more_directories: .* has another vocabulary"):
        train(strange)
    nothing = config(data, tmp_path / "run", data__weights=[0.002])
    with pytest.raises(UserError, match=r"\[data\] weights = \[0.002\]: .* none of the 190 pairs"):
        train(nothing)
    assert not (tmp_path / "run").exists()


def test_learned_positions_hold_what_is_drawn(data: Path, tmp_path: Path) -> None:
    longest = ParallelDataset(data).longest
    changes = {"model__positions": "learned", "model__max_length": longest}
    train(config(data, tmp_path / "run", data__bpe_dropout=0.9, **changes))
    assert all(line["loss"] > 0 for line in read_log(tmp_path / "run"))


def test_a_vocabulary_that_is_not_bpe_is_refused(tmp_path: Path) -> None:
    prepare(*write_text(tmp_path), tmp_path / "unigram", vocab_size=40, model_type="unigram")
    dropping = config(tmp_path / "unigram", tmp_path / "run", data__bpe_dropout=0.1)
    with pytest.raises(UserError, match=r"bpe_dropout = 0.1: the vocabulary of .* BPE alone"):
        train(dropping)
    assert not (tmp_path / "run").exists()
