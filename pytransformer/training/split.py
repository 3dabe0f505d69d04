"""The prepared pairs that a run learns from or is judged by, whole and fit for its model."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pytransformer.data.bpe_dropout import BpeDropout
from pytransformer.data.dataset import ParallelDataset
from pytransformer.data.layout import INFO, SIDES
from pytransformer.data.mixture import Mixture
from pytransformer.data.tokenizer import Tokenizer
from pytransformer.errors import UserError
from pytransformer.training.config import TrainingConfig

# Sentences that tell whether a vocabulary is one of BPE.
_SENTENCES_TRIED = 1000


def open_training(config: TrainingConfig) -> Mixture:
    """Open all that a run learns from and check all of it.

    Raises:
        UserError: as ``open_split``; or if the vocabularies of two directories differ, or a weight
            leaves nothing of one.
    """
    options = config.data
    corpora = [open_split(config, "train")]
    for number, directory in enumerate(options.more_directories):
        key = f"more_directories[{number}]"
        corpora.append(_open(config, Path(directory), key, "train"))
    try:
        return Mixture(corpora, options.weights)
    except UserError as error:
        raise UserError(f"[data] more_directories: {error}") from error
    except ValueError as error:
        raise UserError(f"[data] {error}") from error


def open_split(config: TrainingConfig, split: str) -> ParallelDataset:
    """Open ``train`` or ``valid`` of ``[data] directory`` and check all of it.

    Raises:
        UserError: if the data is missing, damaged or empty, or has a sentence longer than the
            model's positions reach.
    """
    return _open(config, Path(config.data.directory), "directory", split)


def open_bpe_dropout(
    config: TrainingConfig, dataset: Mixture, tokenizer: Tokenizer
) -> BpeDropout | None:
    """The dropout that ``[data] bpe_dropout`` asks for, None for 0.

    Raises:
        UserError: if the vocabulary is of another kind.
    """
    if config.data.bpe_dropout == 0:
        return None
    rows = longest_sentence(config, dataset)
    dropout = BpeDropout(tokenizer, config.data.bpe_dropout, rows and rows - 1)
    some = np.arange(min(len(dataset), _SENTENCES_TRIED))
    if not all(dropout.fits(*dataset.gather(side, some)) for side in SIDES):
        raise UserError(
            f"[data] bpe_dropout = {config.data.bpe_dropout}: the vocabulary of "
            f"{config.data.directory} is not one of BPE alone; prepare the data with --model-type "
            "bpe, or leave bpe_dropout out"
        )
    return dropout


def longest_sentence(config: TrainingConfig, dataset: ParallelDataset | Mixture) -> int | None:
    """Rows of a sentence at most, ``</s>`` or the start token included; None: any number."""
    model = config.model.transformer_config(dataset.vocab_size)
    return model.max_length if model.positions == "learned" else None


def _open(config: TrainingConfig, directory: Path, key: str, split: str) -> ParallelDataset:
    if not (directory / INFO).is_file():
        raise UserError(
            f"[data] {key} = {directory}: {INFO} is missing there; name a directory that "
            "`pytransformer prepare` wrote"
        )
    dataset = ParallelDataset(directory, split)
    if len(dataset) == 0:
        raise UserError(f"{directory} has no pairs in its part {split!r}; prepare it with some")
    dataset.verify()
    longest = longest_sentence(config, dataset)
    if longest is not None and dataset.longest > longest:
        raise UserError(
            f"[model] max_length = {longest}: learned positions end there, but the "
            f"longest sentence of {directory} ({split}) takes {dataset.longest}; set max_length "
            f"to at least that"
        )
    return dataset
