"""Batches by token count.

What a training step costs follows the rows it computes, not the pairs: a pair costs the rows of
its source with ``</s>`` and the rows of its target with the start token (its last token, ``</s>``,
is only predicted), hence ``source length + 1 + target length + 1``. A batch takes as many pairs as
fit into ``batch_tokens`` of these.

Rows are packed, so that nothing is lost to padding when lengths differ; pairs of like length still
go together, because then sequences of a batch take attention alike long.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pytransformer.data.bpe_dropout import BpeDropout
from pytransformer.data.dataset import ParallelDataset
from pytransformer.data.mixture import Mixture
from pytransformer.data.shuffle import shuffled
from pytransformer.packed import Packed

# Pairs are sorted by length within windows of about this many batches: wide enough for batches of
# like length, narrow enough that an epoch's batches differ from the last epoch's.
_WINDOW_BATCHES = 64


@dataclass(frozen=True)
class Batch:
    """Pairs of one step.

    Attributes:
        src: int64 rows; each sentence ends with ``</s>``.
        tgt: int64 rows; each sentence is the start token (``<pad>``), its tokens, ``</s>``.
        tokens_source: rows of ``src``, that is tokens with ``</s>``.
        tokens_target: tokens to predict, ``</s>`` included: rows of ``tgt`` without the starts.
    """

    src: Packed
    tgt: Packed
    tokens_source: int
    tokens_target: int


@dataclass(frozen=True)
class BatchPlan:
    """Which pairs go into which batch of an epoch.

    Attributes:
        order: int64 ``[pairs]``; every pair's index once.
        bounds: int64 ``[batches + 1]``; batch b is ``order[bounds[b] : bounds[b + 1]]``.
        sequence: int64 ``[batches]``; the batches in the order in which they come.
    """

    order: NDArray[np.int64]
    bounds: NDArray[np.int64]
    sequence: NDArray[np.int64]

    def __len__(self) -> int:
        """The number of batches."""
        return len(self.sequence)

    def pairs(self, position: int) -> NDArray[np.int64]:
        """The indices of the pairs of the batch that comes at ``position``."""
        batch = self.sequence[position]
        return self.order[self.bounds[batch] : self.bounds[batch + 1]]


class TokenBatches:
    """The batches of a data set, epoch by epoch.

    An epoch takes every pair exactly once, or as often as a mixture's weights say. Its batches
    follow from the data, ``batch_tokens``, ``seed`` and the epoch's number alone, so that a run can
    be taken up at any batch.
    """

    def __init__(
        self,
        dataset: ParallelDataset | Mixture,
        batch_tokens: int,
        seed: int,
        shuffle: bool = True,
        bpe_dropout: BpeDropout | None = None,
    ) -> None:
        """Choose how to cut.

        Args:
            dataset: the pairs.
            batch_tokens: source and target rows of a batch at most; a pair that alone has more
                makes a batch of its own.
            seed: of the shuffling, at least 0.
            shuffle: False keeps the pairs in the data set's order, the same in every epoch.
            bpe_dropout: cuts sentences into other pieces in every epoch. Batches are still planned
                by the lengths that were prepared, so that they become larger than that.

        Raises:
            ValueError: if ``batch_tokens`` or ``seed`` is out of range.
        """
        if batch_tokens < 1:
            raise ValueError(f"batch_tokens = {batch_tokens}: must be at least 1")
        if seed < 0:
            raise ValueError(f"seed = {seed}: must be at least 0")
        self.dataset = dataset
        self.batch_tokens = batch_tokens
        self.seed = seed
        self.shuffle = shuffle
        self.bpe_dropout = bpe_dropout
        self._costs = dataset.source_lengths + dataset.target_lengths + 2
        self._cached: tuple[int, BatchPlan] | None = None

    def plan(self, epoch: int) -> BatchPlan:
        """The batches of ``epoch``, counted from 0.

        Raises:
            ValueError: if ``epoch`` is negative.
        """
        if epoch < 0:
            raise ValueError(f"epoch = {epoch}: must be at least 0")
        number = epoch if self.shuffle else 0
        if self._cached is None or self._cached[0] != number:
            self._cached = (number, self._make_plan(number))
        return self._cached[1]

    def batches_per_epoch(self, epoch: int) -> int:
        """The number of batches of ``epoch``; it may differ a little from epoch to epoch."""
        return len(self.plan(epoch))

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """The batches of ``epoch``, from batch ``start``.

        Raises:
            ValueError: if ``epoch`` is negative, or ``start`` is not within 0 and the number of
                batches.
        """
        plan = self.plan(epoch)
        if not 0 <= start <= len(plan):
            raise ValueError(f"start = {start}: epoch {epoch} has {len(plan)} batches")
        return (self.batch(plan.pairs(position), epoch) for position in range(start, len(plan)))

    def tokens(self, pairs: NDArray[np.int64]) -> tuple[int, int]:
        """``tokens_source`` and ``tokens_target`` of the batch of these pairs, as prepared."""
        lengths = (self.dataset.source_lengths[pairs], self.dataset.target_lengths[pairs])
        source, target = (int(of_side.sum()) + len(pairs) for of_side in lengths)
        return source, target

    def padded_tokens(self, pairs: NDArray[np.int64]) -> int:
        """What ``tokens`` would add up to were each sentence as long as the longest of its side."""
        lengths = (self.dataset.source_lengths[pairs], self.dataset.target_lengths[pairs])
        return sum((int(of_side.max()) + 1) * len(pairs) for of_side in lengths)

    def batch(self, pairs: NDArray[np.int64], epoch: int = 0) -> Batch:
        """The pairs with these indices, packed.

        Args:
            pairs: indices.
            epoch: the pass they are for: in another one they may be cut into other pieces.
        """
        source = self._sentences("source", pairs, epoch)
        target = self._sentences("target", pairs, epoch)
        src = _pack(*source, start=None)
        tgt = _pack(*target, start=self.dataset.vocab_size - 1)
        return Batch(src, tgt, src.values.shape[0], tgt.values.shape[0] - len(pairs))

    def _sentences(
        self, side: str, pairs: NDArray[np.int64], epoch: int
    ) -> tuple[NDArray[Any], NDArray[np.int64]]:
        tokens, lengths = self.dataset.gather(side, pairs)
        if self.bpe_dropout is None or len(pairs) == 0:
            return tokens, lengths
        place = (self.seed, epoch, int(pairs[0]), int(side == "target"))
        return self.bpe_dropout.draw(tokens, lengths, place)

    def _make_plan(self, epoch: int) -> BatchPlan:
        costs = self._costs
        if not self.shuffle:
            order = np.arange(len(costs))
            bounds = _cut(costs, self.batch_tokens)
            return BatchPlan(order, bounds, np.arange(len(bounds) - 1))
        bits = np.random.PCG64(np.random.SeedSequence([self.seed, epoch]))
        pairs = self.dataset.pairs_of_epoch(bits)
        order = _bucket(pairs[shuffled(len(pairs), bits)], costs, self.batch_tokens)
        bounds = _cut(costs[order], self.batch_tokens)
        return BatchPlan(order, bounds, shuffled(len(bounds) - 1, bits))


def _bucket(order: NDArray[Any], costs: NDArray[Any], batch_tokens: int) -> NDArray[np.int64]:
    """Sort by cost within windows; every second one descends, so that like lengths meet."""
    if len(order) == 0:
        return order
    window = max(1, round(_WINDOW_BATCHES * batch_tokens / float(costs.mean())))
    number = np.arange(len(order)) // window
    rising = np.where(number % 2 == 0, costs[order], -costs[order])
    return order[np.lexsort((rising, number))]


def _cut(costs: NDArray[np.int64], batch_tokens: int) -> NDArray[np.int64]:
    """Bounds of consecutive batches of at most ``batch_tokens``, each of one pair at least."""
    ends = np.cumsum(costs)
    bounds = [0]
    while bounds[-1] < len(costs):
        first = bounds[-1]
        spent = ends[first - 1] if first else 0
        bounds.append(max(first + 1, int(np.searchsorted(ends, spent + batch_tokens, "right"))))
    return np.array(bounds, np.int64)


def _pack(tokens: NDArray[Any], lengths: NDArray[np.int64], start: int | None) -> Packed:
    """Sentences as rows, each with ``</s>`` after it and, if given, ``start`` before."""
    lead = int(start is not None)
    ends = np.cumsum(lengths + lead + 1)
    cu_seqlens = np.concatenate(([0], ends))
    values = np.zeros(cu_seqlens[-1], np.int64)  # </s> is 0
    if start is not None:
        values[cu_seqlens[:-1]] = start
    within = np.arange(len(tokens)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    values[within + np.repeat(cu_seqlens[:-1] + lead, lengths)] = tokens
    longest = int(lengths.max(initial=0)) + lead + 1
    return Packed(torch.from_numpy(values), torch.from_numpy(cu_seqlens.astype(np.int32)), longest)
