"""Where a run stands: every counter that a resumed run must continue from."""

from __future__ import annotations

import dataclasses
import math
import typing
from dataclasses import dataclass
from typing import Any


@dataclass
class TrainingState:
    """Counters of a run.

    Attributes:
        step: updates made.
        epoch, batch: the next batch to learn from: which pass, and its index in that pass.
        seconds: time spent, parts before a resume included.
        skipped: updates not made because a loss or gradient was not finite.
        skipped_in_a_row: those since the last update that was made.
        validated_step: the step of the last validation; 0 before the first.
        validated_loss, validated_bleu: its scores; None before the first, or when the loss was not
            finite.
        best_step: the step of the best validation, None before the first.
        best_loss, best_bleu: its scores.
        worse_in_a_row: validations since then, none of them better.
        processes: how many trained together.
        log_lines: lines of the log that belong to the run up to here.
    """

    step: int = 0
    epoch: int = 0
    batch: int = 0
    seconds: float = 0.0
    skipped: int = 0
    skipped_in_a_row: int = 0
    validated_step: int = 0
    validated_loss: float | None = None
    validated_bleu: float | None = None
    best_step: int | None = None
    best_loss: float | None = None
    best_bleu: float | None = None
    worse_in_a_row: int = 0
    processes: int = 1
    log_lines: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Plain values by name; ``from_dict`` inverts it."""
        return dataclasses.asdict(self)

    def scores_at(self, step: int) -> tuple[float, float] | None:
        """Loss and BLEU of the validation at ``step``; None if the last one was another."""
        if (
            self.validated_step != step
            or self.validated_loss is None
            or self.validated_bleu is None
        ):
            return None
        return self.validated_loss, self.validated_bleu

    @classmethod
    def from_dict(cls, values: Any) -> TrainingState:
        """A state of plain values; those that are absent are as at the start.

        Raises:
            ValueError: naming a value that cannot be.
        """
        if not isinstance(values, dict):
            raise ValueError(f"the state is {values!r}")
        kinds = typing.get_type_hints(cls)
        for name, value in values.items():
            if name not in kinds:
                raise ValueError(f"{name} is unknown")
            if not _can_be(value, kinds[name]):
                raise ValueError(f"{name} = {value!r} cannot be")
        return cls(**values)


def _can_be(value: Any, kind: Any) -> bool:
    """Whether it is a count or a finite measure, none below 0; or None where that may be."""
    allowed = typing.get_args(kind) or (kind,)
    if value is None:
        return type(None) in allowed
    if type(value) is int:
        return value >= 0
    return type(value) is float and float in allowed and math.isfinite(value) and value >= 0
