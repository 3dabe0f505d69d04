"""A run whose process is killed again and again ends as one that was never stopped."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pytransformer import ops
from pytransformer.directory import load_model
from pytransformer.training import checkpoint, shelf
from tests.cases.device import cpu_only
from tests.cases.micro_run import same_bits, told, write_config

KILLS = 20
STEPS = 2000
SECONDS = 120

pytestmark = [
    cpu_only,
    pytest.mark.skipif(ops.BACKEND == "reference", reason="what is saved is the same for it"),
]


def _start(config: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "pytransformer", "train", str(config), "--resume"]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def _wait(process: subprocess.Popen[bytes], condition: Callable[[], bool]) -> bool:
    """Until it holds; False where the process ends first."""
    end = time.monotonic() + SECONDS
    while not condition():
        if process.poll() is not None:
            return False
        assert time.monotonic() < end
        time.sleep(0.0002)
    return True


def _kill(process: subprocess.Popen[bytes], output: Path, chooser: random.Random) -> bool:
    """Kill it in the middle of a save or between two; False where it was done before."""
    log = output / "log.jsonl"
    begun = log.stat().st_size if log.exists() else 0
    if not _wait(process, lambda: log.exists() and log.stat().st_size != begun):
        return False
    if chooser.random() < 0.5:
        if not _wait(process, lambda: any(output.glob(".*.tmp"))):
            return False
        time.sleep(chooser.uniform(0, 0.01))
    else:
        time.sleep(chooser.uniform(0, 0.3))
    process.kill()
    process.wait()
    return True


def test_killed_at_random_moments(data: Path, tmp_path: Path) -> None:
    changes = {
        "training__max_steps": STEPS, "training__threads": 1, "model__dropout": 0.2,
        "validation__every_steps": 250, "checkpoints__every_steps": 20, "checkpoints__keep_best": 2,
    }  # fmt: skip
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    configs = {
        output: write_config(output.with_suffix(".toml"), data, output, **changes)
        for output in (whole, killed)
    }
    done = _start(configs[whole])
    assert done.wait(SECONDS) == 0
    chooser = random.Random(11)
    kills = unfinished = 0
    for _ in range(KILLS):
        process = _start(configs[killed])
        if not _kill(process, killed, chooser):
            assert process.returncode == 0, process.communicate()[1]
            break
        kills += 1
        unfinished += any(killed.glob(".*.tmp"))
        if (killed / shelf.LAST).exists():  # what it says is whole, is
            checkpoint.read_state((killed / shelf.LAST).resolve())
            load_model(killed / shelf.MODEL)
    done = _start(configs[killed])
    assert done.wait(SECONDS) == 0, done.communicate()[1]
    for kind in ("train", "valid"):
        assert told(killed, kind) == told(whole, kind)
    assert shelf.steps(killed) == shelf.steps(whole)
    assert not list(killed.glob(".*"))
    assert same_bits(whole, killed)
    assert kills >= KILLS // 2, "it ended too soon to be killed often: the test proves too little"
    assert unfinished > 0, "no kill fell into a save: the test proves too little"
