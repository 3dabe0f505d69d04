"""Prepared data is opened as it was written, or refused by name."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from pytransformer.data import ParallelDataset, prepare
from pytransformer.errors import UserError

LINES = ["one two three", "two", "three one", "two three two one"] * 15


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "a").write_text("\n".join(LINES))
    (tmp_path / "b").write_text("\n".join(reversed(LINES)))
    prepare(tmp_path / "a", tmp_path / "b", tmp_path / "data", vocab_size=18)
    return tmp_path / "data"


def test_pairs_are_mapped_from_the_disk(directory: Path) -> None:
    data = ParallelDataset(directory, "train")
    assert len(data) == 57
    assert isinstance(data.source_tokens, np.memmap)
    assert data.vocab_size == data.info["vocab_size"] == 19
    for index in (0, 1, 56):
        assert len(data.source(index)) == data.source_lengths[index]
        assert len(data.target(index)) == data.target_lengths[index]
    np.testing.assert_array_equal(data.source(0), data.source(4))
    joined = np.concatenate([data.target(index) for index in range(len(data))])
    np.testing.assert_array_equal(joined, data.target_tokens)
    with pytest.raises(ValueError, match="read-only"):
        data.source(0)[0] = 1
    for index in (-1, 57):
        with pytest.raises(IndexError, match=f"pair {index} does not exist; there are 57"):
            data.source(index)
    data.verify()


def test_a_pass_over_the_data_does_not_stay_in_memory(directory: Path, monkeypatch) -> None:
    data = ParallelDataset(directory)
    let_go: list[object] = []
    monkeypatch.setattr("pytransformer.data.dataset.let_go", let_go.append)
    monkeypatch.setattr("pytransformer.data.dataset._KEPT_SENTENCES", 50)
    for _ in range(4):
        data.gather("source", np.arange(20))
    assert let_go == [data.source_tokens, data.target_tokens]


def test_text_is_kept_for_validation_only(directory: Path) -> None:
    assert len(ParallelDataset(directory, "valid").target_text()) == 3
    with pytest.raises(UserError, match=r"does not list train.target.txt"):
        ParallelDataset(directory).target_text()


def edit_info(directory: Path, **changes: object) -> None:
    path = directory / "info.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda d: (d / "info.json").unlink(), "info.json is missing; name a directory written by"),
        (lambda d: (d / "info.json").write_text('{"a": 1'), "info.json, line 1: not valid JSON"),
        (lambda d: edit_info(d, format="x"), "info.json is foreign"),
        (lambda d: edit_info(d, format_version=9), "format version 9, .* reads version 1"),
        (lambda d: edit_info(d, vocab_size="many"), "lacks 'vocab_size'"),
        (lambda d: edit_info(d, files={}), "does not list source.spm"),
        (lambda d: edit_info(d, files={"source.spm": 1}), "checksum of .*source.spm are damaged"),
        *(
            (lambda d, name=name: flip(d / name), f"{name} has changed since .*; prepare the data")
            for name in ("source.spm", "target.spm", "vocab.json", "tokenizer_config.json")
        ),
        (lambda d: (d / "train.target.tokens.npy").unlink(), "train.target.tokens.npy is missing"),
        (lambda d: cut(d / "train.source.tokens.npy"), r"tokens.npy has \d+ bytes, but \d+ were"),
        (lambda d: flip(d / "train.source.offsets.npy"), "offsets.npy has changed"),
    ],
)
def test_damage_is_named_when_opening(directory: Path, damage, message: str) -> None:
    damage(directory)
    with pytest.raises(UserError, match=message) as error:
        ParallelDataset(directory)
    assert str(directory) in str(error.value)


def test_verify_reads_everything(directory: Path) -> None:
    flip(directory / "train.source.tokens.npy")
    data = ParallelDataset(directory)
    with pytest.raises(UserError, match=r"train\.source\.tokens\.npy has changed"):
        data.verify()


def test_verify_checks_the_range_of_the_ids(directory: Path) -> None:
    edit_info(directory, vocab_size=10)
    with pytest.raises(UserError, match=r"holds the id \d+, but the vocabulary ends at 8"):
        ParallelDataset(directory).verify()


def test_there_are_two_splits(directory: Path) -> None:
    with pytest.raises(ValueError, match="split = 'test': must be one of train, valid"):
        ParallelDataset(directory, "test")
    with pytest.raises(UserError, match=r"info\.json is missing"):
        ParallelDataset(directory.parent / "nowhere")
