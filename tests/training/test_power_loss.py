"""A run whose machine loses power at any moment goes on as if nothing had happened."""

from __future__ import annotations

import os
import random
import shutil
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from pytransformer import files, ops
from pytransformer.directory import load_model
from pytransformer.training import TrainingConfig, checkpoint, shelf, train
from pytransformer.training.log import Log
from tests.cases.device import cpu_only
from tests.cases.micro_run import config, same_bits, told
from tests.cases.power_loss import (
    Choice,
    Drawn,
    Extreme,
    Record,
    Tree,
    disk_after,
    promised_at,
    write_tree,
)

STEPS = 6
STOPPED_AT = 4

pytestmark = [
    cpu_only,
    pytest.mark.skipif(ops.BACKEND == "reference", reason="what is saved is the same for it"),
]


@dataclass(frozen=True)
class _State:
    """What the disk may hold.

    Attributes:
        moment: when, and by which choice.
        tree: it.
        promised: the update that the run must not fall back behind; None: to the beginning.
    """

    moment: str
    tree: Tree
    promised: int | None


@pytest.mark.parametrize("exchange", [True, False])
def test_power_is_lost_at_any_moment(
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    exchange: bool,
) -> None:
    if not exchange:  # as on some network file systems
        monkeypatch.setattr(files, "_exchange", lambda one, other: False)
    whole = tmp_path / "whole" / "run"
    train(_config(data, whole))
    record = _record(data, tmp_path / "recorded")
    _expect_the_same(tmp_path / "recorded" / "runs" / "run", whole)
    states = _states(record, random.Random(5))
    assert len(states) >= 24, "few states: the test proves too little"
    if not exchange:  # most of the others are as with it
        states = [s for i, s in enumerate(states) if i % 3 == 0 or ".old" in str(s.tree.keys())]
    monkeypatch.setattr(os, "fsync", lambda handle: None)  # slow, and of no use from here on
    place, wrong = tmp_path / "lost", []
    for state in states:
        place.mkdir()
        write_tree(state.tree, place)
        capsys.readouterr()
        try:
            for step in shelf.steps(place / "runs" / "run"):
                checkpoint.read_state(shelf.place(place / "runs" / "run", step))
            train(_config(data, place / "runs" / "run"), resume=True)
            said = capsys.readouterr().err
            assert "are lost" not in said
            assert state.promised is None or _first_step(said) >= state.promised, said
            _expect_the_same(place / "runs" / "run", whole)
        except Exception as error:
            wrong.append(f"{state.moment}: {type(error).__name__} {error}")
        shutil.rmtree(place)
    assert not wrong, "\n".join([f"{len(wrong)} of {len(states)} states:", *wrong])


@pytest.mark.parametrize("atomic", [False, True])
def test_the_disk_is_pessimistic(tmp_path: Path, atomic: bool) -> None:
    path, record = tmp_path / "file", Record(tmp_path)
    with record.watching():
        for text in ("old", "new"):
            if atomic:
                files.write_text(path, text)
            else:
                beside = tmp_path / "beside"
                beside.write_text(text)
                beside.rename(path)
            record.promise(text)
    seen = {(state.promised, state.tree.get("file")) for state in _states(record, random.Random(1))}
    if atomic:
        assert seen == {(None, None), ("old", b"old"), ("new", b"new")}
    else:
        assert {("new", None), ("new", b"")} <= seen


def _config(data: Path, output: Path) -> TrainingConfig:
    return config(
        data, output,
        training__max_steps=STEPS, model__dropout=0.2, validation__every_steps=2,
        validation__metric="loss", checkpoints__every_steps=1, checkpoints__keep=1,
    )  # fmt: skip


def _record(data: Path, root: Path) -> Record:
    """A run that is stopped by a signal where a validation is due, and goes on to its end."""
    root.mkdir()
    record, chosen = Record(root), _config(data, root / "runs" / "run")
    last, write = root / "runs" / "run" / shelf.LAST, Log.write

    def write_and_promise(self: Log, kind: str, step: int, *arguments: Any, **values: Any) -> None:
        write(self, kind, step, *arguments, **values)
        if last.is_symlink():  # what was saved before more is learnt has to last
            record.promise(int(last.readlink().name.removeprefix("step-")))
        if (kind, step) == ("train", STOPPED_AT):
            os.kill(os.getpid(), signal.SIGTERM)

    with record.watching(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(Log, "write", write_and_promise)
        assert train(chosen).signal == signal.SIGTERM
        record.promise(STOPPED_AT)
        assert train(chosen, resume=True).state.step == STEPS
        record.promise(STEPS)
    return record


def _states(record: Record, chooser: random.Random) -> list[_State]:
    """What the disk may hold after each event, each state once, with what was promised last."""
    seen: dict[object, _State] = {}
    for count in range(len(record.events) + 1):
        event = str(record.events[count - 1])[:100] if count else "nothing"
        promised = promised_at(record, count)
        for name, choice in _choices(chooser):
            tree = disk_after(record, count, choice)
            # What has a temporary name is removed unread: one state of several such is enough.
            key = tuple(item for item in tree.items() if ".tmp" not in item[0])
            seen[key] = _State(f"{count}, {event}, {name}", tree, promised)
    return list(seen.values())


def _choices(chooser: random.Random) -> Iterator[tuple[str, Choice]]:
    yield "nothing", Extreme(names=False, content=False)
    yield "everything", Extreme(names=True, content=True)
    yield "names alone", Extreme(names=True, content=False)
    for probability in (0.9, 0.5):
        yield f"drawn {probability}", Drawn(chooser, probability)


def _first_step(said: str) -> int:
    begun = [line for line in said.splitlines() if line.startswith("resuming at step ")]
    return int(begun[0].split()[-1]) if begun else 0


def _expect_the_same(run: Path, whole: Path) -> None:
    for kind in ("train", "valid"):
        assert told(run, kind) == told(whole, kind)
    assert sorted(path.name for path in run.iterdir()) == sorted(p.name for p in whole.iterdir())
    for link in (shelf.LAST, shelf.BEST):
        assert (run / link).readlink() == (whole / link).readlink()
    assert same_bits(run, whole)
    load_model(run / shelf.MODEL)  # compares its checksums
    models = [load_file(output / shelf.MODEL / "model.safetensors") for output in (run, whole)]
    assert all(torch.equal(tensor, models[1][name]) for name, tensor in models[0].items())
