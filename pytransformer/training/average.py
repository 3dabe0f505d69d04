"""The average of several checkpoints of a run, which often translates better than each of them.

Source: section 6.1 of the paper, whose base models are averages of the last 5 checkpoints.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from pytransformer.directory import RECORD, load_model, save_model
from pytransformer.errors import UserError
from pytransformer.files import read_json
from pytransformer.training import checkpoint, shelf
from pytransformer.training.config import load


def last_steps(run: Path, count: int) -> list[int]:
    """The ``count`` latest checkpoints of a run, in the order of their updates.

    Raises:
        UserError: if there are not so many.
    """
    return _first(run, shelf.steps(run)[::-1], count, "checkpoints", "keep")


def best_steps(run: Path, count: int) -> list[int]:
    """The ``count`` checkpoints that were best in ``[validation] metric``, in their order.

    Raises:
        UserError: if not so many were validated, or the run's configuration cannot be read.
    """
    _refuse_other(run)
    ranked = shelf.best_steps(run, load(run / shelf.CONFIG).validation.metric)
    return _first(run, ranked, count, "validated checkpoints", "keep_best")


def average(run: Path, steps: Sequence[int], output: Path) -> None:
    """Write a model whose parameters are the means of those of checkpoints, taken in float64.

    Args:
        run: the directory of a training run.
        steps: its checkpoints, at least one.
        output: absent, empty, or a model directory, which is replaced.

    Raises:
        UserError: if a checkpoint is missing, damaged, or not of the run's model; if ``output``
            holds something else, or the disk is full.
    """
    model, tokenizer = load_model(run / shelf.MODEL)
    sums = {name: torch.zeros_like(value).double() for name, value in model.state_dict().items()}
    for step in steps:
        directory = shelf.place(run, step)
        checkpoint.read_state(directory)  # compares its checksums
        checkpoint.load_weights(directory, model)
        for name, value in model.state_dict().items():
            sums[name] += value
    model.load_state_dict({name: total / len(steps) for name, total in sums.items()})
    record = {"average_of": list(steps), **_record(run)}
    save_model(output, model, tokenizer, record)


def _record(run: Path) -> dict[str, Any]:
    """What the models of the run share."""
    record = read_json(run / shelf.MODEL / RECORD, remedy="it is part of the run's model")
    return {key: value for key, value in record.items() if key not in ("step", "validation")}


def _refuse_other(run: Path) -> None:
    if not shelf.steps(run):
        raise UserError(f"{run} holds no checkpoints; name the [training] output of a run")


def _first(run: Path, ranked: Sequence[int], count: int, what: str, key: str) -> list[int]:
    _refuse_other(run)
    if len(ranked) < count:
        there = ", ".join(f"step-{step}" for step in sorted(ranked)) or "none"
        raise UserError(
            f"{run} holds {len(ranked)} {what} ({there}), not {count}; take fewer, or train with "
            f"[checkpoints] {key} = {count}"
        )
    return sorted(ranked[:count])
