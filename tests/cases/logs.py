"""Logs of runs, made up."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def line(kind: str, step: int, **values: Any) -> str:
    """A line of ``log.jsonl``: ten updates to a pass, six seconds each."""
    place = {"kind": kind, "step": step, "epoch": step / 10, "seconds": step * 6.0}
    return json.dumps({**place, **values}) + "\n"


def update(step: int, **values: Any) -> str:
    """That of an update, whose loss is 10 / step."""
    told = {"loss": 10 / step, "learning_rate": step / 1000, "grad_norm": 2.0 + step % 2}
    return line("train", step, **{**told, "tokens_per_second": 1000.0, **values})


def validation(step: int, **values: Any) -> str:
    """That of a validation, the best so far."""
    return line("valid", step, **{"loss": 8 / step, "bleu": step * 2.0, "best": True, **values})


def write(run: Path, lines: Sequence[str]) -> Path:
    """A run that left this log and nothing else."""
    run.mkdir(parents=True)
    (run / "log.jsonl").write_text("".join(lines), encoding="utf-8")
    return run
