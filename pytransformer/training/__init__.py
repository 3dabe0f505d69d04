"""Training: configuration, the loop, checkpoints that resume to the bit."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

# Loaded when they are asked for: what only reads a run's log does without torch.
_EXPORTS = {
    "Outcome": "run",
    "OutputError": "errors",
    "TrainingConfig": "config",
    "from_tables": "config",
    "load": "config",
    "train": "run",
}

if TYPE_CHECKING:
    from pytransformer.training.config import TrainingConfig, from_tables, load
    from pytransformer.training.errors import OutputError
    from pytransformer.training.run import Outcome, train

__all__ = ["Outcome", "OutputError", "TrainingConfig", "from_tables", "load", "train"]


def __getattr__(name: str) -> Any:
    if name in _EXPORTS:
        return getattr(importlib.import_module(f"pytransformer.training.{_EXPORTS[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
