"""Data that a run could not use to its end is refused before the run begins."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pytransformer.errors import UserError
from pytransformer.training.split import open_split
from tests.cases.micro_run import config


def test_missing_data_names_the_key_and_the_command(data: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"\[data\] directory = nope: .*`pytransformer prepare`"):
        open_split(config(Path("nope"), tmp_path), "train")


@pytest.mark.parametrize("split", ["train", "valid"])
def test_changed_tokens_are_refused(data: Path, tmp_path: Path, split: str) -> None:
    copy = tmp_path / "data"
    shutil.copytree(data, copy)
    path = copy / f"{split}.target.tokens.npy"
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 0x55]))
    with pytest.raises(UserError, match=rf"{split}.target.tokens.npy has changed"):
        open_split(config(copy, tmp_path / "run"), split)


def test_learned_positions_must_reach_the_longest_sentence(data: Path, tmp_path: Path) -> None:
    dataset = open_split(config(data, tmp_path), "train")
    learned = {"model__positions": "learned", "model__max_length": dataset.longest}
    open_split(config(data, tmp_path, **learned), "train")
    learned["model__max_length"] -= 1
    with pytest.raises(UserError, match=rf"\[model\] max_length = .* takes {dataset.longest};"):
        open_split(config(data, tmp_path, **learned), "train")
