"""Preparation drops what cannot be used, says so, and leaves nothing half done."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pytest

from pytransformer.data import ParallelDataset, Tokenizer, prepare
from pytransformer.data.prepare import Report
from pytransformer.data.tokenizer import TOKENIZER_FILES
from pytransformer.errors import UserError
from pytransformer.files import write_checksums

# Of each six pairs one is too long on one side, two are empty on one.
SOURCE = ["Dog", "a cat sees the dog", "the dog runs", "", "the cat", "the cat runs to a dog"] * 20
TARGET = ["Hund " * 40, "eine Katze sieht den Hund", "der Hund läuft", "x", "\t ", "ja"] * 20


def write(path: Path, lines: list[str]) -> Path:
    data = "".join(line + "\n" for line in lines).encode()
    path.write_bytes(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)
    return path


@pytest.fixture
def text(tmp_path: Path) -> tuple[Path, Path]:
    return write(tmp_path / "train.en.gz", SOURCE), write(tmp_path / "train.de", TARGET)


def run(text: tuple[Path, Path], output: Path, **changes) -> Report:
    options = {"vocab_size": 50, "max_length": 40, "source_language": "en", "target_language": "de"}
    return prepare(*text, output, **(options | changes))


def content(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def test_every_pair_is_kept_or_counted_as_dropped(text, tmp_path: Path) -> None:
    report = run(text, tmp_path / "data")
    # A twentieth of 120 pairs is held out: six, the last of each kind.
    assert report.held_out == 6
    for counts, pairs in ((report.train, 114), (report.valid, 6)):
        kept = (counts.pairs, counts.dropped_empty, counts.dropped_too_long)
        assert kept == (pairs // 2, pairs // 3, pairs // 6)
    table = str(report)
    assert "57" in table
    assert "the last 6 pairs" in table
    assert "51 ids" in table

    data = ParallelDataset(tmp_path / "data")
    tokenizer = Tokenizer.load(tmp_path / "data")
    assert len(data) == 57
    assert tokenizer.decode([data.source(0).tolist()]) == ["a cat sees the dog"]
    assert tokenizer.decode([data.target(0).tolist()]) == ["eine Katze sieht den Hund"]
    assert report.train.source_tokens == data.source_lengths.sum()
    assert report.train.target_tokens == data.target_lengths.sum()


def test_the_longest_pair_has_max_length_tokens_with_its_end(text, tmp_path: Path) -> None:
    run(text, tmp_path / "all", max_length=1000)
    data = ParallelDataset(tmp_path / "all")
    longest = int(max(data.source_lengths.max(), data.target_lengths.max())) + 1
    tokenizer = tmp_path / "all"
    same = run(text, tmp_path / "same", max_length=longest, tokenizer=tokenizer)
    fewer = run(text, tmp_path / "fewer", max_length=longest - 1, tokenizer=tokenizer)
    assert same.train.dropped_too_long == 0
    assert fewer.train.dropped_too_long == 19


def test_validation_text_is_kept_as_it_was_written(text, tmp_path: Path) -> None:
    run(text, tmp_path / "data")
    valid = ParallelDataset(tmp_path / "data", "valid")
    assert valid.source_text() == [SOURCE[1], SOURCE[2], SOURCE[5]]
    assert valid.target_text() == [TARGET[1], TARGET[2], TARGET[5]]
    assert len(valid) == 3


def test_own_validation_text_leaves_the_training_text_whole(text, tmp_path: Path) -> None:
    source = write(tmp_path / "valid.en", ["the dog", "漢字"])
    target = write(tmp_path / "valid.de", ["der Hund", "läuft"])
    report = run(text, tmp_path / "data", valid_source=source, valid_target=target)
    assert (report.held_out, report.train.pairs, report.valid.pairs) == (0, 60, 2)
    assert ParallelDataset(tmp_path / "data", "valid").source_text() == ["the dog", "漢字"]


def test_a_tokenizer_can_be_used_again(text, tmp_path: Path) -> None:
    run(text, tmp_path / "one")
    run(text, tmp_path / "two", tokenizer=tmp_path / "one", source_language="")
    one, two = content(tmp_path / "one"), content(tmp_path / "two")
    assert one["source.spm"] == two["source.spm"]
    assert ParallelDataset(tmp_path / "two").info["source_language"] == "en"


def test_lowercase_folds_tokens_and_references(text, tmp_path: Path) -> None:
    run(text, tmp_path / "data", vocab_size=45, lowercase=True)
    valid = ParallelDataset(tmp_path / "data", "valid")
    assert valid.target_text()[0] == "eine katze sieht den hund"
    tokenizer = Tokenizer.load(tmp_path / "data")
    assert tokenizer.decode([valid.target(0).tolist()]) == valid.target_text()[:1]


def test_preparation_is_repeatable_and_states_its_checksums(text, tmp_path: Path) -> None:
    run(text, tmp_path / "one")
    run(text, tmp_path / "two")
    one = content(tmp_path / "one")
    assert one == content(tmp_path / "two")
    info = json.loads(one.pop("info.json"))
    assert info["files"].keys() == one.keys()
    for name, data in one.items():
        assert info["files"][name]["sha256"] == hashlib.sha256(data).hexdigest()
    raw = [(entry["name"], entry["sha256"]) for entry in info["raw"]]
    assert raw == [(path.name, hashlib.sha256(path.read_bytes()).hexdigest()) for path in text]
    assert info["splits"]["train"]["dropped_empty"] == 38
    assert (info["source_language"], info["target_language"]) == ("en", "de")


def test_the_tokenizer_never_sees_what_is_held_out(tmp_path: Path) -> None:
    text = (
        write(tmp_path / "a", ["abc abd"] * 50 + ["xyz"]),
        write(tmp_path / "b", ["abd abc"] * 50 + ["xyz"]),
    )
    run(text, tmp_path / "data", vocab_size=8, valid_lines=1)
    assert Tokenizer.load(tmp_path / "data").encode(["x"])[0][-1] == 1


def test_earlier_output_is_replaced_only_when_asked(text, tmp_path: Path) -> None:
    output = tmp_path / "data"
    run(text, output)
    before = content(output)
    with pytest.raises(UserError, match="give --overwrite to replace it"):
        run(text, output, vocab_size=45)
    assert content(output) == before
    run(text, output, vocab_size=45, overwrite=True)
    assert ParallelDataset(output).vocab_size == 46


def test_foreign_files_are_never_replaced(text, tmp_path: Path) -> None:
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "thesis.txt").touch()
    with pytest.raises(UserError, match="holds other files"):
        run(text, foreign, overwrite=True)
    run(text, tmp_path / "data")
    (tmp_path / "data" / "notes").touch()
    with pytest.raises(UserError, match="notes is no part of the prepared data"):
        run(text, tmp_path / "data", overwrite=True)
    with pytest.raises(UserError, match="is a file; name a directory"):
        run(text, foreign / "thesis.txt")


def test_a_failure_leaves_nothing_behind(text, tmp_path: Path) -> None:
    before = sorted(tmp_path.iterdir())
    with pytest.raises(UserError, match="too small for a vocabulary of 5000 pieces"):
        run(text, tmp_path / "data", vocab_size=5000)
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("source", "target", "message"),
    [
        (["a"] * 3, ["b"] * 5, "a.txt has 3 lines, but .*b.txt has 5"),
        (["a"], ["b"], "a.txt has 1 lines; holding one out takes at least 2"),
        ([], [], "a.txt has 0 lines"),
        ([""] * 9, ["a b c d"] * 9, r"none of the 8 pairs for train is usable: 8 empty, 0 longer"),
    ],
)
def test_unusable_text_is_named(tmp_path: Path, source, target, message: str) -> None:
    text = write(tmp_path / "a.txt", source), write(tmp_path / "b.txt", target)
    with pytest.raises(UserError, match=message):
        run(text, tmp_path / "data", vocab_size=7)
    assert not (tmp_path / "data").exists()


def test_options_are_checked(text, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="threads = -1: must be at least 0"):
        run(text, tmp_path / "data", threads=-1)
    with pytest.raises(ValueError, match="max_length = 1: must be at least 2"):
        run(text, tmp_path / "data", max_length=1)
    with pytest.raises(ValueError, match="valid_lines = 0"):
        run(text, tmp_path / "data", valid_lines=0)
    with pytest.raises(UserError, match="--valid-source and --valid-target belong together"):
        run(text, tmp_path / "data", valid_source=text[0])
    with pytest.raises(UserError, match="leave it out with --tokenizer"):
        run(text, tmp_path / "data", tokenizer=tmp_path, lowercase=True)


def test_a_pipe_is_refused(text, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UserError, match="pipe is no file that can be read twice"):
        run((tmp_path / "pipe", text[1]), tmp_path / "data")


@pytest.mark.parametrize("kind", ["prepared data", "model"])
def test_a_damaged_tokenizer_is_not_used_again(text, tmp_path: Path, kind: str) -> None:
    run(text, tmp_path / "one")
    if kind == "model":
        (tmp_path / "one" / "info.json").unlink()
        write_checksums(tmp_path / "one", TOKENIZER_FILES)
    path = tmp_path / "one" / "source.spm"
    path.write_bytes(path.read_bytes()[:-1] + b"\xff")
    with pytest.raises(UserError, match=r"source\.spm has changed since it was written"):
        run(text, tmp_path / "two", tokenizer=tmp_path / "one")


def test_names_need_not_be_utf8(text, tmp_path: Path) -> None:
    source = text[0].rename(tmp_path / os.fsdecode(b"\xff.en.gz"))
    run((source, text[1]), tmp_path / "data", source_language=os.fsdecode(b"\xfe"))
    info = ParallelDataset(tmp_path / "data").info
    assert info["raw"][0]["name"] == source.name
    assert info["source_language"] == os.fsdecode(b"\xfe")


def test_ids_are_stored_small(text, tmp_path: Path) -> None:
    run(text, tmp_path / "data")
    assert np.load(tmp_path / "data" / "train.source.tokens.npy").dtype == np.uint16
