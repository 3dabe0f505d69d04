"""The log keeps whole lines up to a checkpoint and drops what a resumed run will repeat."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pytransformer.errors import UserError
from pytransformer.training.errors import OutputError
from pytransformer.training.log import Log
from tests.cases.disk import full_disk


def _steps(path: Path) -> list[int]:
    return [json.loads(line)["step"] for line in path.read_text().splitlines()]


def test_resume_drops_lines_after_the_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    with Log(path) as log:
        for step in range(1, 6):
            log.write("train", step, step / 10, loss=1.0)
        assert log.lines == 5
    path.write_text(path.read_text() + '{"kind": "train", "st')
    with Log(path, keep_lines=3) as log:
        assert log.lines == 3
        log.write("train", 4, 0.4)
    assert _steps(path) == [1, 2, 3, 4]


def test_a_new_run_begins_with_an_empty_log(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text('{"step": 9}\n')
    with Log(path):
        pass
    assert path.read_text() == ""


def test_a_shortened_log_is_continued(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text('{"step": 1}\n{"step": 2')
    with Log(path, keep_lines=10) as log:
        log.write("train", 11, 1.0)
        assert log.lines == 2
    assert _steps(path) == [1, 11]


def test_a_full_disk_is_named(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"

    def fill() -> None:
        with Log(path) as log:
            for step in range(100):
                log.write("train", step, 0.1, loss=1.0)

    with full_disk(room=500), pytest.raises(OutputError, match=f"cannot write {path}: "):
        fill()
    with Log(path, keep_lines=3) as log:
        assert log.lines == 3


def test_one_process_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    with Log(path) as log:
        log.write("train", 1, 0.1)
        with pytest.raises(UserError, match=f"another process is training into {tmp_path};"):
            Log(path)
        log.write("train", 2, 0.2)
    assert _steps(path) == [1, 2]
    with Log(path, keep_lines=2) as log:
        assert log.lines == 2
