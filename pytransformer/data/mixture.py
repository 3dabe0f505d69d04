"""Several prepared corpora as one, each with a weight."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pytransformer.data.dataset import ParallelDataset
from pytransformer.data.layout import NUMBERING_FILES
from pytransformer.data.shuffle import shuffled
from pytransformer.errors import UserError


class Mixture:
    """Pairs of several corpora, numbered through in their order.

    A corpus of weight 2 comes twice in every pass, one of weight 0.5 with a random half of its
    pairs, another half in every pass.

    Attributes:
        corpora: the data sets; all of them number their vocabulary alike.
        weights: how often each pair of a corpus comes in a pass, on average.
        source_lengths, target_lengths: int32 ``[pairs]``; tokens of each sentence.
    """

    def __init__(self, corpora: Sequence[ParallelDataset], weights: Sequence[float] = ()) -> None:
        """Join corpora.

        Args:
            corpora: at least one.
            weights: one for each, more than 0; empty: each pair once.

        Raises:
            ValueError: if the weights do not fit, or one is so small that no pair ever comes.
            UserError: naming a corpus whose vocabulary is another than the first one's.
        """
        weights = weights or [1.0] * len(corpora)
        if len(weights) != len(corpora) or not all(weight > 0 for weight in weights):
            raise ValueError(
                f"weights = {list(weights)}: must be {len(corpora)} numbers more than 0"
            )
        for other in corpora[1:]:
            _require_same_vocabulary(corpora[0], other)
        for corpus, weight in zip(corpora, weights, strict=True):
            if len(corpus) and weight < 1 and _once_more(len(corpus), weight) == 0:
                raise ValueError(
                    f"weights = {list(weights)}: a pass of {weight} takes none of the "
                    f"{len(corpus)} pairs of {corpus.directory}; give a larger weight"
                )
        self.corpora = corpora
        self.weights = weights
        self.source_lengths = _joined([corpus.source_lengths for corpus in corpora])
        self.target_lengths = _joined([corpus.target_lengths for corpus in corpora])
        self._starts = np.cumsum([0, *(len(corpus) for corpus in corpora)])

    def __len__(self) -> int:
        """The number of pairs, each counted once."""
        return len(self.source_lengths)

    @property
    def vocab_size(self) -> int:
        """Ids, ``<pad>`` included; ``<pad>`` is the last."""
        return self.corpora[0].vocab_size

    def gather(
        self, side: str, indices: NDArray[np.int64]
    ) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """As ``ParallelDataset.gather``, over all corpora."""
        if len(self.corpora) == 1:
            return self.corpora[0].gather(side, indices)
        of_side = {"source": self.source_lengths, "target": self.target_lengths}[side]
        lengths = of_side[indices].astype(np.int64)
        corpus_of_pair = np.searchsorted(self._starts, indices, "right") - 1
        corpus_of_token = np.repeat(corpus_of_pair, lengths)
        tokens = np.empty(len(corpus_of_token), np.uint32)
        for number, corpus in enumerate(self.corpora):
            own = indices[corpus_of_pair == number] - self._starts[number]
            tokens[corpus_of_token == number] = corpus.gather(side, own)[0]
        return tokens, lengths

    def pairs_of_epoch(self, bits: np.random.PCG64) -> NDArray[np.int64]:
        """The pairs that one pass takes, a pair as often as it comes, in no order to rely on.

        Args:
            bits: what decides which pairs of a broken weight come.
        """
        return np.concatenate(
            [
                self._starts[number] + _draw(len(corpus), weight, bits)
                for number, (corpus, weight) in enumerate(
                    zip(self.corpora, self.weights, strict=True)
                )
            ]
        )


def _joined(parts: Sequence[NDArray[np.int32]]) -> NDArray[np.int32]:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _draw(count: int, weight: float, bits: np.random.PCG64) -> NDArray[np.int64]:
    """Each of ``count`` pairs ``int(weight)`` times, and a random part of them once more."""
    whole = np.tile(np.arange(count), int(weight))
    rest = _once_more(count, weight)
    return np.concatenate([whole, np.sort(shuffled(count, bits)[:rest])]) if rest else whole


def _once_more(count: int, weight: float) -> int:
    return round((weight - int(weight)) * count)


def _require_same_vocabulary(first: ParallelDataset, other: ParallelDataset) -> None:
    for name in NUMBERING_FILES:
        if first.info["files"][name]["sha256"] != other.info["files"][name]["sha256"]:
            raise UserError(
                f"{other.directory} has another vocabulary than {first.directory} ({name} "
                f"differs); prepare it with --tokenizer {first.directory}"
            )
