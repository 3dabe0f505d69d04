"""What ends a run: the limits that its configuration sets and its counters reach."""

from __future__ import annotations

from pytransformer.training.config import TrainingConfig
from pytransformer.training.state import TrainingState


def reached(config: TrainingConfig, state: TrainingState) -> list[str]:
    """The limits that a run has come to, a clause for each; empty while it shall go on.

    They follow from the counters alone: a run that has ended and is resumed ends again, for the
    same reason.
    """
    options = config.training
    limits = (
        ("max_steps", state.step, options.max_steps),
        ("max_epochs", state.epoch, options.max_epochs),
        ("max_minutes", state.seconds / 60, options.max_minutes),
    )
    clauses = [f"[training] {key} = {most}" for key, done, most in limits if 0 < most <= done]
    if 0 < config.validation.patience <= state.worse_in_a_row:
        clauses.append(
            f"[validation] patience = {config.validation.patience}: no better score in "
            f"{state.worse_in_a_row} validations"
        )
    return clauses
