"""What a run is: what a resumed one must share with the one that was begun."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pytransformer.data.mixture import Mixture
from pytransformer.errors import UserError
from pytransformer.training.config import TrainingConfig


def describe(config: TrainingConfig, dataset: Mixture) -> dict[str, Any]:
    """What decides the meaning of a checkpoint: the model, the data and their order."""
    tables = config.to_tables()
    model = {f"[model] {key}": value for key, value in tables["model"].items() if key != "preset"}
    return {
        **model,
        "[data] batch_tokens": config.data.batch_tokens,
        "[data] weights": list(config.data.weights),
        "[data] bpe_dropout": config.data.bpe_dropout,
        "[training] optimizer": config.training.optimizer,
        "[training] seed": config.training.seed,
        # Scores of different sentences or searches cannot be compared for the best.
        "[validation] metric": config.validation.metric,
        "[validation] tokenize": config.validation.tokenize,
        "[validation] beam_size": config.validation.beam_size,
        "[validation] max_sentences": config.validation.max_sentences,
        **_checksums(dataset),
    }


def require_same(now: dict[str, Any], then: dict[str, Any], last: Path) -> None:
    """Compare the identity of a run with that which its checkpoint was saved with.

    Raises:
        UserError: naming what differs.
    """
    for key in {**then, **now}:
        if now.get(key) != then.get(key):
            raise UserError(
                f"cannot resume {last}: {key} was {then.get(key)} when the run began and is "
                f"{now.get(key)} now; restore it, or train into another [training] output"
            )


def _checksums(dataset: Mixture) -> dict[str, str]:
    """Of what is learned from and what is judged by, and of the vocabulary."""
    sums = {}
    for number, corpus in enumerate(dataset.corpora):
        place = "" if number == 0 else f"[data] more_directories[{number - 1}] "
        for name, file in sorted(corpus.info["files"].items()):
            if number == 0 or name.startswith("train."):
                sums[f"{place}{name}"] = file["sha256"]
    return sums
