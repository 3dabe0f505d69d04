"""``pytransformer plot``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pytransformer.cli.main import main
from pytransformer.training import train
from tests.cases.logs import update, validation, write
from tests.cases.micro_run import config

pytest.importorskip("matplotlib")

PNG = b"\x89PNG\r\n\x1a\n"


def test_a_run_is_drawn(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, path = tmp_path / "run", tmp_path / "picture.png"
    train(config(data, run, validation__every_steps=6))
    capsys.readouterr()
    assert main(["plot", str(run), "--output", str(path)]) == 0
    assert path.read_bytes().startswith(PNG)
    assert capsys.readouterr().out == f"wrote {path}\n"


def test_several_are_drawn_over_minutes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b"):
        write(tmp_path / name, [update(1), update(2), validation(2)])
    assert main(["plot", "a", "b/log.jsonl", "--x", "minutes"]) == 0
    assert (tmp_path / "curves.png").read_bytes().startswith(PNG)
    assert main(["plot", "a", "--output", "curves.doc"]) == 1
    assert "curves.doc: the suffix must be one of" in capsys.readouterr().err
    assert main(["plot", "a", "absent"]) == 1
    assert "absent: there is no absent; name the [training] output" in capsys.readouterr().err
    assert main(["plot", "a/log.jsonl", "--output", "a/log.jsonl"]) == 1
    assert "that is read; name another" in capsys.readouterr().err
    assert (tmp_path / "a" / "log.jsonl").read_text() == update(1) + update(2) + validation(2)


def test_it_draws_without_torch(tmp_path: Path) -> None:
    run = write(tmp_path / "run", [update(1)])
    command = ["-m", "pytransformer", "plot", str(run), "--output", str(tmp_path / "curves.png")]
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *command], capture_output=True, text=True, check=True
    )
    loaded = {entry.rpartition("|")[2].strip() for entry in done.stderr.splitlines()}
    assert "pytransformer.training.plot" in loaded
    assert "torch" not in loaded
