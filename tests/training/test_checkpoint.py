"""Checkpoints: damage is refused by name, a full disk leaves the previous one whole."""

from __future__ import annotations

import json
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from pytransformer.directory import load_model
from pytransformer.errors import UserError
from pytransformer.training import OutputError, checkpoint, train
from tests.cases.micro_run import config, read_log


@pytest.fixture
def output(data: Path, tmp_path: Path) -> Path:
    train(config(data, tmp_path / "run", training__max_steps=2))
    return tmp_path / "run"


@contextmanager
def _full_disk(file_bytes: int) -> Iterator[None]:
    """No file may grow beyond ``file_bytes``: the system refuses the write as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("name", ["model.safetensors", "optimizer.safetensors", "state.json"])
def test_damage_is_refused_by_name(data: Path, output: Path, name: str) -> None:
    path = output / "step-2" / name
    whole = path.read_bytes()
    changed = bytes([*whole[:-9], whole[-9] ^ 1, *whole[-8:]])
    for damaged in (changed, whole[:-5], None):
        path.unlink()
        if damaged is not None:
            path.write_bytes(damaged)
        with pytest.raises(UserError, match=f"step-2/{name}"):
            train(config(data, output), resume=True)
        path.write_bytes(whole)
    train(config(data, output, training__max_steps=3), resume=True)


def test_a_directory_without_checksums_is_refused(data: Path, output: Path) -> None:
    (output / "step-2" / "checksums.json").unlink()
    message = r"step-2 is no whole checkpoint .*; there is no other checkpoint; train into another"
    with pytest.raises(UserError, match=message):
        train(config(data, output), resume=True)
    (output / "step-1").mkdir()
    with pytest.raises(UserError, match=f"with: ln -sfn step-1 {output}/last"):
        train(config(data, output), resume=True)


def test_another_models_weights_are_refused(output: Path) -> None:
    directory = output / "step-2"
    weights = load_file(directory / "model.safetensors")
    model = torch.nn.Linear(2, 2)
    with pytest.raises(UserError, match=r"weight is missing in the file"):
        checkpoint.load_weights(directory, model)
    save_file(
        {"weight": torch.zeros(3, 2), "bias": torch.zeros(2)}, directory / "model.safetensors"
    )
    with pytest.raises(UserError, match=r"weight has shape \(3, 2\), the model .* \(2, 2\)"):
        checkpoint.load_weights(directory, model)
    assert "embedding" in weights


@pytest.mark.parametrize("written", ["step-4", "model"])
def test_a_full_disk_leaves_the_old_checkpoint_whole(
    data: Path, output: Path, written: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = {"training__max_steps": 4}
    before = {path: path.read_bytes() for path in output.glob("step-2/*")}
    message = f"cannot save step 4: cannot write .*/{written}: File too large"
    with monkeypatch.context() as patch:
        if written == "model":
            patch.setattr(checkpoint, "save", lambda *arguments: None)
        with _full_disk(40_000), pytest.raises(OutputError, match=message):
            train(config(data, output, **changes), resume=True)
    assert {path: path.read_bytes() for path in before} == before
    assert (output / "last").resolve().name == "step-2"
    assert not (output / "step-4").exists()
    assert not list(output.glob("**/*.tmp"))
    load_model(output / "model")
    assert train(config(data, output, **changes), resume=True).state.step == 4
    assert [entry["step"] for entry in read_log(output)] == [1, 2, 3, 4]


def test_nothing_is_pickled(output: Path) -> None:
    names = {path.name for path in (output / "last").iterdir()}
    assert names == {"model.safetensors", "optimizer.safetensors", "state.json", "checksums.json"}
    state = json.loads((output / "last" / "state.json").read_text())["state"]
    assert (state["step"], state["epoch"], state["batch"]) == (2, 0, 2)
