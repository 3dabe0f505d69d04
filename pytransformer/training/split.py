"""The prepared pairs that a run learns from or is judged by, whole and fit for its model."""

from __future__ import annotations

from pathlib import Path

from pytransformer.data.dataset import ParallelDataset
from pytransformer.data.layout import INFO
from pytransformer.errors import UserError
from pytransformer.training.config import TrainingConfig


def open_split(config: TrainingConfig, split: str) -> ParallelDataset:
    """Open ``train`` or ``valid`` of ``[data] directory`` and check all of it.

    Raises:
        UserError: if the data is missing, damaged or empty, or has a sentence longer than the
            model's positions reach.
    """
    directory = Path(config.data.directory)
    if not (directory / INFO).is_file():
        raise UserError(
            f"[data] directory = {directory}: {INFO} is missing there; name a directory that "
            "`pytransformer prepare` wrote"
        )
    dataset = ParallelDataset(directory, split)
    if len(dataset) == 0:
        raise UserError(f"{directory} has no pairs in its part {split!r}; prepare it with some")
    dataset.verify()
    model = config.model.transformer_config(dataset.vocab_size)
    if model.positions == "learned" and dataset.longest > model.max_length:
        raise UserError(
            f"[model] max_length = {model.max_length}: learned positions end there, but the "
            f"longest sentence of {directory} ({split}) takes {dataset.longest}; set max_length "
            f"to at least that"
        )
    return dataset
