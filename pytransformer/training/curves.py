"""What the logs of runs say, as curves over updates, epochs or minutes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pytransformer.errors import UserError
from pytransformer.training import log

Axis = Literal["updates", "epochs", "minutes"]

_PLACES = {"updates": ("step", 1.0), "epochs": ("epoch", 1.0), "minutes": ("seconds", 1 / 60)}


@dataclass(frozen=True)
class Curve:
    """Points by their place in the run.

    Attributes:
        x: float64 ``[points]``, rising: updates, epochs or minutes.
        y: float64 ``[points]``; NaN where it was not finite.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]

    def smoothed(self, reach: int) -> Curve:
        """The mean of each point and ``reach`` of its neighbours on each side, where there are."""
        finite = np.isfinite(self.y)
        window = np.ones(2 * reach + 1)
        # Not differences of running sums: one huge gradient would spoil all that comes after it.
        sums, counts = (
            np.convolve(values, window)[reach : reach + len(values)]
            for values in (np.where(finite, self.y, 0.0), finite)
        )
        with np.errstate(invalid="ignore"):
            return Curve(self.x, sums / counts)


@dataclass(frozen=True)
class Run:
    """The curves of one run.

    Attributes:
        label: what tells it from the others.
        loss, learning_rate, grad_norm, tokens_per_second: of its updates; at least one.
        valid_loss, bleu: of its validations, of which there may be none.
        skipped: float64; where updates were skipped.
        best_bleu: of its best validation, by its own metric.
        best_step: the update of that.
    """

    label: str
    loss: Curve
    learning_rate: Curve
    grad_norm: Curve
    tokens_per_second: Curve
    valid_loss: Curve
    bleu: Curve
    skipped: NDArray[np.float64]
    best_bleu: float | None
    best_step: int | None


def read_runs(paths: Sequence[Path], axis: Axis) -> list[Run]:
    """Read the logs of runs, which may still be going on.

    Args:
        paths: directories of runs, or their logs.
        axis: what the curves run over.

    Raises:
        UserError: if one is given twice, is missing or damaged, or has no updates yet.
    """
    places = [_log_of(path) for path in paths]
    for index, place in enumerate(places):
        if any(place.samefile(other) for other in places[:index]):
            raise UserError(f"{paths[index]} is given twice")
    labels = _labels(places)
    return [_read(place, label, axis) for place, label in zip(places, labels, strict=True)]


def _log_of(path: Path) -> Path:
    # Without a trailing "." or "..", so that the directory has a name; links keep theirs.
    place = Path(os.path.abspath(path))  # noqa: PTH100
    place = place / log.NAME if place.is_dir() else place
    if not place.is_file():
        raise UserError(
            f"{path}: there is no {place.name}; name the [training] output of a run, or its "
            f"{log.NAME}"
        )
    return place


def _labels(places: Sequence[Path]) -> list[str]:
    """The names of the runs' directories, with as many of those above as tell them apart."""
    names = [place.parent.parts if place.name == log.NAME else place.parts for place in places]
    labels = []
    for index, parts in enumerate(names):
        others = names[:index] + names[index + 1 :]
        length = next(
            length
            for length in range(1, len(parts) + 1)
            if length == len(parts) or all(parts[-length:] != other[-length:] for other in others)
        )
        labels.append(str(Path(*parts[-length:])))
    return labels


def _read(path: Path, label: str, axis: Axis) -> Run:
    records: dict[str, list[dict[str, Any]]] = {"train": [], "valid": [], "skip": []}
    for record in log.read(path):
        records.setdefault(record["kind"], []).append(record)
    train, valid = records["train"], records["valid"]
    if not train:
        raise UserError(f"{path} has no updates yet; wait for the first")
    best = [record for record in valid if record.get("best") is True][-1:]
    try:
        return Run(
            label,
            loss=_curve(train, "loss", axis),
            learning_rate=_curve(train, "learning_rate", axis),
            grad_norm=_curve(train, "grad_norm", axis),
            tokens_per_second=_curve(train, "tokens_per_second", axis),
            valid_loss=_curve(valid, "loss", axis),
            bleu=_curve(valid, "bleu", axis),
            skipped=_places(records["skip"], axis),
            best_bleu=log.number(best[0], "bleu") if best else None,
            best_step=int(log.number(best[0], "step")) if best else None,
        )
    except ValueError as error:
        raise UserError(f"{path} is damaged: {error}") from error


def _curve(records: Sequence[dict[str, Any]], key: str, axis: Axis) -> Curve:
    y = np.array([_number(record, key) for record in records], np.float64)
    return Curve(_places(records, axis), np.where(np.isfinite(y), y, np.nan))


def _places(records: Sequence[dict[str, Any]], axis: Axis) -> NDArray[np.float64]:
    key, unit = _PLACES[axis]
    return np.array([log.number(record, key) * unit for record in records], np.float64)


def _number(record: dict[str, Any], key: str) -> float:
    try:
        return log.number(record, key)
    except ValueError as error:
        raise ValueError(f"at update {record['step']}, {error}") from error
