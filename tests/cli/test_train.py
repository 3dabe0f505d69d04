"""``pytransformer train``: from the file to the model, and stopped by signals on the way."""

from __future__ import annotations

import errno
import os
import shlex
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from typing import Any

import pytest

from pytransformer import files
from pytransformer.cli.main import main
from pytransformer.training import checkpoint
from tests.cases.device import DEVICE
from tests.cases.micro_run import read_log, write_config


def test_trains_and_says_where_the_model_is(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_config(tmp_path / "train.toml", data, tmp_path / "run")
    assert main(["train", str(path), "--set", "training.max_steps=3"]) == 0
    text = capsys.readouterr()
    assert "Done: 3 updates" in text.out
    assert f"pytransformer translate {tmp_path}/run/model" in text.out
    assert "step 3: validation loss" in text.err
    resolved = tomllib.loads((tmp_path / "run" / "config.toml").read_text())
    assert resolved["training"]["max_steps"] == 3
    assert main(["train", str(path)]) == 1
    assert "continue the run in it with --resume" in capsys.readouterr().err
    assert main(["train", str(path), "--resume"]) == 0
    assert [entry["step"] for entry in read_log(tmp_path / "run")] == list(range(1, 13))


def test_print_config(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--print-config"]) == 0
    assert "warmup_steps = 4000  # updates over which the rate rises" in capsys.readouterr().out
    path = write_config(tmp_path / "train.toml", data, tmp_path / "run")
    assert main(["train", str(path), "--print-config", "--set", "training.seed=5"]) == 0
    printed = tomllib.loads(capsys.readouterr().out)
    assert printed["training"]["seed"] == 5
    assert printed["model"]["ff"] == 32
    assert not (tmp_path / "run").exists()


def test_needs_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train"]) == 1
    assert "give a configuration file" in capsys.readouterr().err
    assert main(["train", "absent.toml"]) == 1
    assert "absent.toml: No such file" in capsys.readouterr().err
    assert main(["train", "absent"]) == 1
    message = "absent is neither a file nor a recipe; the recipes are demo, iwslt14-de-en, "
    assert message in capsys.readouterr().err


def test_a_recipe_trains_by_its_name(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "true"  # a path, whatever TOML would make of it
    command = ["train", "multi30k-en-de-tok", "--data", str(data), "--output", str(output)]
    micro = ["training.max_steps=1", "training.warmup_steps=1", "model.d_model=16"]
    micro.append(f"training.device={DEVICE}")
    changes = [word for change in micro for word in ("--set", change)]
    assert main([*command, *changes]) == 0
    resolved = tomllib.loads((output / "config.toml").read_text())
    assert resolved["training"]["schedule"] == "linear"  # as the recipe has it
    assert resolved["validation"]["tokenize"] == "none"
    assert resolved["training"]["output"] == str(output)
    assert main(["train", "multi30k-en-de-tok", "--data", str(data)]) == 1
    assert "multi30k-en-de-tok: [training] output is missing" in capsys.readouterr().err


def test_recipes_are_listed_and_described(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("wmt14-en-de-big ") and "paper's big" in line for line in lines)
    assert main(["train", "--list", "multi30k-en-de"]) == 0
    told = capsys.readouterr().out
    commands = [line.split()[1] for line in told.splitlines() if line.startswith("  pytransf")]
    assert commands == ["prepare", "train", "average", "evaluate"]
    assert "--data DATA --output RUN" in told
    assert main(["train", "--list", "demo"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "  pytransformer demo"
    assert main(["train", "--list", "wmt15"]) == 1
    assert "wmt15 is neither" in capsys.readouterr().err


def test_a_full_disk_names_the_command_that_goes_on(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_config(tmp_path / "train.toml", data, tmp_path / "run", training__max_steps=2)

    def save(output: Path, *arguments: object) -> None:
        with files.atomic_directory(output / "step-2"):
            raise OSError(code, os.strerror(code))

    monkeypatch.setattr(checkpoint, "save", save)
    for code, remedy in ((errno.ENOSPC, "make room"), (errno.EIO, "repair that")):
        assert main(["train", str(path), *(["--resume"] if code == errno.EIO else [])]) == 1
        message = capsys.readouterr().err.splitlines()[-1]
        assert message.startswith("pytransformer: error: cannot save step 2: ")
        assert message.endswith(f"; {remedy}, then go on with: pytransformer train {path} --resume")


def test_an_output_that_cannot_be_made_is_named(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "file" / "run"
    (tmp_path / "file").touch()
    path = write_config(tmp_path / "train.toml", data, output)
    assert main(["train", str(path)]) == 1
    assert capsys.readouterr().err.splitlines()[-1] == (
        f"pytransformer: error: cannot make {output}: Not a directory; repair that, then go on "
        f"with: pytransformer train {path} --resume"
    )


def _start(arguments: list[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "pytransformer", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _wait_for_lines(path: Path, count: int, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 60
    while not path.exists() or len(path.read_bytes().splitlines()) < count:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_saves_and_the_printed_command_goes_on(
    data: Path, tmp_path: Path, number: signal.Signals, status: int
) -> None:
    changes: dict[str, Any] = {"training__max_steps": 10_000}
    path = write_config(tmp_path / "with space.toml", data, tmp_path / "run", **changes)
    process = _start(["train", str(path), "--set", "training.clip_norm=1.0"])
    _wait_for_lines(tmp_path / "run" / "log.jsonl", 5, process)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == status, err
    command = shlex.split(out.strip().splitlines()[-1])
    assert command == [
        *("pytransformer", "train", str(path), "--set", "training.clip_norm=1.0", "--resume")
    ]
    stopped_at = len(read_log(tmp_path / "run"))
    assert f"Stopped at step {stopped_at}" in out
    assert (tmp_path / "run" / "model" / "config.json").is_file()

    steps = stopped_at + 5
    assert main([*command[1:], "--set", f"training.max_steps={steps}"]) == 0
    whole = write_config(tmp_path / "whole.toml", data, tmp_path / "whole", **changes)
    limits = ["--set", "training.clip_norm=1.0", "--set", f"training.max_steps={steps}"]
    assert main(["train", str(whole), *limits]) == 0
    resumed, uninterrupted = read_log(tmp_path / "run"), read_log(tmp_path / "whole")
    assert [entry["step"] for entry in resumed] == list(range(1, steps + 1))
    assert [entry["loss"] for entry in resumed] == [entry["loss"] for entry in uninterrupted]


def test_a_second_ctrl_c_stops_at_once(data: Path, tmp_path: Path) -> None:
    # A validation that never looks whether it shall stop: the first Ctrl-C has to wait for it. In
    # short sleeps: a signal just before the system's call does not end that one.
    # SIGINT as a terminal gives it: behind an &, a shell without job control has it ignored.
    program = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from pytransformer.training.validation import Validator\n"
        "Validator.validate = lambda *arguments: (\n"
        "    print('validating', flush=True), [time.sleep(0.05) for _ in range(2400)])\n"
        "from pytransformer.cli.main import main\n"
        "sys.exit(main())\n"
    )
    path = write_config(tmp_path / "train.toml", data, tmp_path / "run", training__max_steps=1)
    process = subprocess.Popen(
        [sys.executable, "-c", program, "train", str(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline() == "validating\n"
    process.send_signal(signal.SIGINT)
    while "once more stops at once" not in process.stderr.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 130
