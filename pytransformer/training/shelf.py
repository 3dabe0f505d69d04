"""What lies in the directory of a run, and its checkpoints: how good they are, which to keep.

``OUTPUT/step-N`` is the checkpoint after update N; ``OUTPUT/last`` and ``OUTPUT/best`` are links to
such directories.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from pytransformer.errors import UserError
from pytransformer.files import read_json, remove_directories
from pytransformer.training import log
from pytransformer.training.state import TrainingState
from pytransformer.training.validation import Validation

CONFIG = "config.toml"
LOG = log.NAME
BOARD = "tensorboard"
MODEL = "model"
LAST = "last"
BEST = "best"
STATE = "state.json"

_NAME = re.compile(r"step-(\d+)")


def place(output: Path, step: int) -> Path:
    """Where the checkpoint after update ``step`` lies."""
    return output / f"step-{step}"


def steps(output: Path) -> list[int]:
    """The checkpoints that there are, in the order of their updates."""
    names = [path.name for path in output.iterdir()] if output.is_dir() else []
    return sorted(int(match[1]) for name in names if (match := _NAME.fullmatch(name)))


def best_steps(output: Path, metric: str) -> list[int]:
    """The checkpoints that were validated, best first; of equals, the earlier one first.

    Args:
        output: the directory of a run.
        metric: ``bleu`` or ``loss``.
    """
    ranks = {step: scores.rank(metric) for step, scores in _scored(output)}
    return sorted(ranks, key=lambda step: ranks[step], reverse=True)


def count_better(output: Path, step: int, scores: Validation, metric: str) -> int:
    """How many checkpoints before ``step`` are at least as good as ``scores``."""
    rank = scores.rank(metric)
    return sum(then < step and other.rank(metric) >= rank for then, other in _scored(output))


def prune(output: Path, keep: int, keep_best: int, metric: str) -> None:
    """Remove all checkpoints but the ``keep`` latest and the ``keep_best`` best.

    Those that ``last`` and ``best`` name stay in any case.
    """
    kept = {*steps(output)[-keep:], *best_steps(output, metric)[:keep_best]}
    linked = {(output / name).resolve() for name in (LAST, BEST)}
    others = [place(output, step) for step in steps(output) if step not in kept]
    remove_directories([path for path in others if path.resolve() not in linked])


def link_command(output: Path, *, besides: str) -> str | None:
    """The command that lets ``last`` point to the latest checkpoint that is not ``besides``.

    None if there is no such checkpoint.
    """
    names = [place(output, step).name for step in steps(output)]
    others = [name for name in names if name != besides]
    return f"ln -sfn {others[-1]} {shlex.quote(str(output / LAST))}" if others else None


def _scored(output: Path) -> list[tuple[int, Validation]]:
    """The checkpoints that were validated, with their scores, in the order of their updates."""
    return [(step, scores) for step in steps(output) if (scores := _scores(output, step))]


def _scores(output: Path, step: int) -> Validation | None:
    """Of the validation at this very step; None where there was none, or the file is damaged."""
    try:
        values = read_json(place(output, step) / STATE, remedy="").get("state")
        scores = TrainingState.from_dict(values).scores_at(step)
    except (UserError, ValueError):
        return None
    return scores and Validation(*scores)
