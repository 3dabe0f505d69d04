"""What TensorBoard shows is what the log says, however often the run was stopped."""

from __future__ import annotations

import builtins
import json
import math
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pytransformer.errors import UserError
from pytransformer.training import OutputError, train
from pytransformer.training.board import Board
from pytransformer.training.log import Log
from tests.cases.device import cpu_only
from tests.cases.disk import full_disk
from tests.cases.logs import line, update, validation
from tests.cases.micro_run import config, read_log, write_config
from tests.cases.processes import train_together

pytest.importorskip("tensorboard")

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

_KEYS = {
    "train": ("loss", "learning_rate", "grad_norm", "tokens_per_second", "padding_saved"),
    "valid": ("loss", "perplexity", "bleu"),
}
_CHANGES: dict[str, Any] = {"training__tensorboard": True, "validation__every_steps": 4}


def _shown(run: Path) -> EventAccumulator:
    shown = EventAccumulator(str(run / "tensorboard"), size_guidance={"scalars": 0, "tensors": 0})
    return shown.Reload()


def _scalars(shown: EventAccumulator, tag: str) -> list[tuple[int, float]]:
    return [(event.step, event.value) for event in shown.Scalars(tag)]


def _check(shown: EventAccumulator, run: Path) -> None:
    """Every number of the log, in float32, and nothing else."""
    assert set(shown.Tags()["scalars"]) == {
        f"{kind}/{key}" for kind in _KEYS for key in _KEYS[kind]
    }
    for kind, keys in _KEYS.items():
        for key in keys:
            logged = [(told["step"], np.float32(float(told[key]))) for told in read_log(run, kind)]
            assert _scalars(shown, f"{kind}/{key}") == logged, (kind, key)


def test_it_shows_what_the_log_says(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    train(config(data, run, validation__samples=2, **_CHANGES))
    shown = _shown(run)
    assert len(shown.Scalars("train/loss")) == 12
    _check(shown, run)
    assert f"tensorboard --logdir {run}/tensorboard" in capsys.readouterr().err
    for number in (1, 2):
        events = shown.Tensors(f"samples/{number}/text_summary")
        assert [event.step for event in events] == [4, 8, 12]
        for event, told in zip(events, read_log(run, "valid"), strict=True):
            (text,) = event.tensor_proto.string_val
            sample = told["samples"][number - 1]
            assert text.decode() == (
                f"    source       {sample['source']}\n"
                f"    reference    {sample['reference']}\n"
                f"    translation  {sample['translation']}"
            )
    # Its clock is that of the run: 12 updates have not taken longer than the run says.
    events, lines = shown.Scalars("train/loss"), read_log(run)
    for event, told in zip(events, lines, strict=True):
        since, expected = event.wall_time - events[0].wall_time, told["seconds"]
        assert since == pytest.approx(expected - lines[0]["seconds"], abs=1e-3)


def test_without_being_asked_it_writes_nothing(data: Path, tmp_path: Path) -> None:
    train(config(data, tmp_path / "run", training__max_steps=1))
    assert not (tmp_path / "run" / "tensorboard").exists()


def test_a_resumed_run_has_neither_gaps_nor_repeats(data: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    every = {**_CHANGES, "checkpoints__every_steps": 6, "checkpoints__keep": 9}
    # The first part without TensorBoard: asked for later, it shows that part too.
    train(config(data, run, **{**every, "training__tensorboard": False, "training__max_steps": 5}))
    train(config(data, run, **every), resume=True)
    _check(_shown(run), run)
    watching = _shown(run)
    (run / "last").unlink()
    (run / "last").symlink_to("step-6")
    (before,) = (run / "tensorboard").iterdir()
    before.write_bytes(before.read_bytes()[:-7])  # as a killed process may leave it
    train(config(data, run, **every), resume=True)
    assert len(read_log(run)) == 12
    _check(_shown(run), run)
    # One that was open all the time has forgotten what was repeated.
    _check(watching.Reload(), run)
    train(config(data, run, **every), resume=True)
    files = sorted((run / "tensorboard").iterdir())
    assert before not in files
    assert [file.stat().st_size > 0 for file in files] == [False, True]


@cpu_only
def test_a_killed_run_goes_on(data: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    changes = {**_CHANGES, "training__max_steps": 100_000, "checkpoints__every_steps": 20}
    path = write_config(tmp_path / "train.toml", data, run, **changes)
    command = [sys.executable, "-m", "pytransformer", "train", str(path)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while not (run / "log.jsonl").exists() or len(read_log(run)) < 30:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    assert (run / "last").exists()
    steps = len(read_log(run)) + 5
    train(config(data, run, **{**changes, "training__max_steps": steps}), resume=True)
    shown = _shown(run)
    assert [step for step, _ in _scalars(shown, "train/loss")] == list(range(1, steps + 1))
    _check(shown, run)


def test_begun_anew_where_nothing_was_saved(data: Path, tmp_path: Path) -> None:
    with Log(tmp_path / "log.jsonl") as log:
        log.follow(Board(tmp_path / "tensorboard", seconds=0.0))
        log.write("train", 99, 9.0, seconds=1.0, loss=1.0)
    train(config(data, tmp_path, **_CHANGES), resume=True)
    _check(_shown(tmp_path), tmp_path)


def test_what_is_not_finite_and_what_was_skipped(tmp_path: Path) -> None:
    board = Board(tmp_path / "tensorboard", seconds=0.0)
    told = [update(1), line("skip", 1, loss="nan", grad_norm="inf", skipped=1)]
    told += [line("skip", 1, loss="nan", grad_norm="inf", skipped=2)]
    board.rewrite(map(json.loads, told))
    board.write(json.loads(validation(2, loss="nan", perplexity="inf")))
    board.close()
    shown = _shown(tmp_path)
    assert _scalars(shown, "train/skipped") == [(1, 1.0), (1, 2.0)]
    assert math.isnan(shown.Scalars("valid/loss")[0].value)
    assert _scalars(shown, "valid/perplexity") == [(2, math.inf)]
    assert "train/padding_saved" not in shown.Tags()["scalars"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (update(1, loss=None), "at update 1 is damaged: loss is None, which is no number"),
        (validation(2, samples=[3]), "at update 2 is damaged: samples is no list of objects"),
        ('{"kind"\n', "log.jsonl, line 1 is damaged"),
    ],
)
def test_a_damaged_log_is_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "log.jsonl").write_text(text)
    with Log(tmp_path / "log.jsonl", keep_lines=1) as log, pytest.raises(UserError, match=message):
        log.follow(Board(tmp_path / "tensorboard", seconds=0.0))


def test_a_full_disk_is_the_outputs_fault(tmp_path: Path) -> None:
    board = Board(tmp_path / "tensorboard", seconds=0.0)
    lines = [json.loads(update(step)) for step in range(1, 100)]
    with full_disk(room=500), pytest.raises(OutputError, match=r"cannot write .*events\.out"):
        board.rewrite(lines)
    board.close()
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="Not a directory"):
        Board(tmp_path / "file" / "tensorboard", seconds=0.0)


def test_a_missing_package_is_named_before_anything_starts(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def without(name: str, *args: Any) -> Any:
        if name.startswith(("tensorboard", "torch.utils.tensorboard")):
            raise ImportError(f"No module named {name!r}")
        return real(name, *args)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UserError, match=r"\[training\] tensorboard = true .* pip install tensorb"):
        train(config(data, tmp_path / "run", **_CHANGES))
    assert not (tmp_path / "run").exists()
    train(config(data, tmp_path / "run", training__max_steps=1))


@cpu_only
def test_the_first_of_several_writes_it(data: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    path = write_config(tmp_path / "train.toml", data, run, **_CHANGES)
    done = train_together(2, path)
    assert [status for status, _, _ in done] == [0, 0], done
    assert len(list((run / "tensorboard").iterdir())) == 1
    _check(_shown(run), run)


def test_runs_that_do_not_ask_for_it_do_not_load_it() -> None:
    program = "import sys, pytransformer.training.run; sys.exit('tensorboard' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)
