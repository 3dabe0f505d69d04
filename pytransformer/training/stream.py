"""The endless sequence of training batches, with a position that can be saved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from numpy.typing import NDArray

from pytransformer.data.batches import Batch, TokenBatches


@dataclass(frozen=True)
class Position:
    """The batch that comes next.

    Attributes:
        epoch: its pass over the data, from 0.
        batch: its index in that pass.
        batches_in_epoch: how many that pass has.
    """

    epoch: int
    batch: int
    batches_in_epoch: int

    @property
    def passes(self) -> float:
        """How often the data was seen, the begun pass as a fraction."""
        return self.epoch + self.batch / self.batches_in_epoch


@dataclass(frozen=True)
class Share:
    """What one process learns from in one update, and how much all of them do together.

    Attributes:
        batches: those of this process.
        predicted: target tokens to predict.
        tokens: source and target tokens.
        of_all: whether the two are those of all processes; otherwise they are of this one, which
            alone knows what it drew.
        padding_saved: the fraction of the rows of batches with padding that would have held
            nothing, in all batches of all processes, as they were prepared.
        position: where the stream stands after it.
    """

    batches: Sequence[Batch]
    predicted: int
    tokens: int
    of_all: bool
    padding_saved: float
    position: Position


class BatchStream:
    """Pass after pass over the data; ``position`` names the batch that comes next.

    Every process walks through all batches and makes its own ones only.
    """

    def __init__(
        self, batches: TokenBatches, epoch: int, batch: int, rank: int = 0, size: int = 1
    ) -> None:
        """Go to a place.

        Args:
            batches: of the whole data.
            epoch: where to begin: the pass.
            batch: its batch.
            rank: which process takes from the stream.
            size: how many do.
        """
        self._batches = batches
        self._rank = rank
        self._size = size
        self.position = self._position(epoch, batch)

    def take(self, count: int) -> Share:
        """``count`` of the next batches for each process, across the end of a pass if need be.

        They are dealt out by the rows that were prepared.
        """
        epochs_and_pairs = [self._next() for _ in range(count * self._size)]
        planned = [self._batches.tokens(pairs) for _, pairs in epochs_and_pairs]
        costs = [source + target for source, target in planned]
        own = [
            self._batches.batch(pairs, epoch)
            for epoch, pairs in (
                epochs_and_pairs[index] for index in deal(costs, self._rank, self._size)
            )
        ]
        of_all = self._batches.bpe_dropout is None
        counts = planned if of_all else [(one.tokens_source, one.tokens_target) for one in own]
        source, target = map(sum, zip(*counts, strict=True))
        padded = sum(self._batches.padded_tokens(pairs) for _, pairs in epochs_and_pairs)
        saved = 1 - sum(costs) / padded
        return Share(own, target, source + target, of_all, saved, self.position)

    def _next(self) -> tuple[int, NDArray[Any]]:
        """The epoch and the pairs of the batch that comes next."""
        epoch, batch = self.position.epoch, self.position.batch
        pairs = self._batches.plan(epoch).pairs(batch)
        if batch + 1 < self.position.batches_in_epoch:
            self.position = replace(self.position, batch=batch + 1)
        else:
            self.position = self._position(epoch + 1, 0)
        return epoch, pairs

    def _position(self, epoch: int, batch: int) -> Position:
        return Position(epoch, batch, self._batches.batches_per_epoch(epoch))


def deal(costs: Sequence[int], rank: int, size: int) -> list[int]:
    """Which of these batches process ``rank`` takes, in their order.

    Equally many go to each; dealt by falling cost, there and back, so that the sums are close.
    """
    falling = sorted(range(len(costs)), key=lambda i: (-costs[i], i))
    turns = [falling[start : start + size] for start in range(0, len(costs), size)]
    return sorted(turn[rank if n % 2 == 0 else -1 - rank] for n, turn in enumerate(turns))
