"""Hundreds of ways to damage a checkpoint: each is refused by name, and none does anything else."""

from __future__ import annotations

import json
import pickle
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from pytransformer import Transformer
from pytransformer.data import ParallelDataset
from pytransformer.errors import UserError
from pytransformer.files import write_checksums
from pytransformer.training import checkpoint, train
from pytransformer.training.optimizer import create_optimizer
from tests.cases.micro_run import config

FILES = ("model.safetensors", "optimizer.safetensors", "state.json")
EACH = 150


class _Trap:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Callable[[Path], None], tuple[Path]]:
        return Path.touch, (self._path,)


@pytest.fixture(scope="module")
def whole(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("runs") / "run"
    train(config(data, output, training__max_steps=2))
    return output / "step-2"


@pytest.fixture(scope="module")
def resume(data: Path, whole: Path) -> Callable[[Path], None]:
    """What a resumed run does with a checkpoint."""
    chosen = config(data, whole.parent)
    model = Transformer(chosen.model.transformer_config(ParallelDataset(data).vocab_size))
    optimizer = create_optimizer(model, chosen.training)

    def run(directory: Path) -> None:
        checkpoint.read_state(directory)
        checkpoint.restore(directory, model, optimizer)

    run(whole)
    return run


def _mutated(content: bytes, chooser: random.Random, end: int) -> bytes:
    """Changed somewhere before ``end``."""
    at = chooser.randrange(end)
    some = chooser.randbytes(chooser.randint(1, 8))
    kind = chooser.choice(("bit", "cut", "insert", "replace", "remove", "repeat"))
    if kind == "bit":
        flipped = content[at] ^ (1 << chooser.randrange(8))
        return bytes([*content[:at], flipped, *content[at + 1 :]])
    if kind == "cut":
        return content[:at]
    if kind == "insert":
        return content[:at] + some + content[at:]
    if kind == "replace":
        return content[:at] + some + content[at + len(some) :]
    if kind == "remove":
        return content[:at] + content[at + len(some) :]
    return content[:at] + content[max(0, at - 40) :]


def _copy(whole: Path, directory: Path) -> Path:
    shutil.rmtree(directory, ignore_errors=True)
    shutil.copytree(whole, directory)
    return directory


@pytest.mark.parametrize("name", [*FILES, "checksums.json"])
def test_whatever_is_changed_is_noticed(
    whole: Path, resume: Callable[[Path], None], tmp_path: Path, name: str
) -> None:
    chooser = random.Random(name)
    content = (whole / name).read_bytes()
    for _ in range(EACH):
        mutated = _mutated(content, chooser, len(content))
        if mutated == content:
            continue
        directory = _copy(whole, tmp_path / "step-2")
        (directory / name).write_bytes(mutated)
        if name == "checksums.json" and _means_the_same(mutated, content):
            continue
        with pytest.raises(UserError, match=r"step-2"):
            resume(directory)


def _means_the_same(mutated: bytes, content: bytes) -> bool:
    try:
        return bool(json.loads(mutated) == json.loads(content))
    except ValueError:
        return False


def _refusal(resume: Callable[[Path], None], directory: Path) -> str | None:
    try:
        resume(directory)
    except UserError as error:
        return str(error)
    return None


@pytest.mark.parametrize("name", FILES)
def test_what_was_made_to_fit_its_checksum_is_refused_or_read(
    whole: Path, resume: Callable[[Path], None], tmp_path: Path, name: str
) -> None:
    """Another program may write all of a checkpoint: nothing but ``UserError`` comes of it."""
    chooser = random.Random(name)
    content = (whole / name).read_bytes()
    # Of tensors the header: any bits are numbers.
    end = 8 + int.from_bytes(content[:8], "little") if name != "state.json" else len(content)
    refused = 0
    for _ in range(EACH):
        directory = _copy(whole, tmp_path / "step-2")
        (directory / name).write_bytes(_mutated(content, chooser, end))
        write_checksums(directory, FILES)
        message = _refusal(resume, directory)
        assert message is None or "step-2" in message
        refused += message is not None
    assert refused > EACH // 2


@pytest.mark.parametrize("name", FILES)
def test_foreign_files_are_refused_and_not_run(
    whole: Path, resume: Callable[[Path], None], tmp_path: Path, name: str
) -> None:
    trap = tmp_path / "sprung"
    torch.save({"model": torch.zeros(3)}, tmp_path / "foreign.pt")
    foreign = [
        pickle.dumps(_Trap(trap)),
        (tmp_path / "foreign.pt").read_bytes(),
        b"",
        b"{}",
        b"[]",
        b"null",
        *((whole / other).read_bytes() for other in FILES if other != name),
    ]
    for content in foreign:
        for honest in (True, False):
            directory = _copy(whole, tmp_path / "step-2")
            (directory / name).write_bytes(content)
            if honest:
                write_checksums(directory, FILES)
            with pytest.raises(UserError, match=r"step-2"):
                resume(directory)
    assert not trap.exists()
