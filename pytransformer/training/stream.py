"""The endless sequence of training batches, with a position that can be saved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from pytransformer.data.batches import Batch, TokenBatches


@dataclass(frozen=True)
class Share:
    """What one process learns from in one update, and how much all of them do together.

    Attributes:
        batches: those of this process.
        predicted: target tokens to predict, of all processes.
        tokens: source and target tokens, of all processes.
        padded: what these would be in batches with padding, of all processes.
    """

    batches: Sequence[Batch]
    predicted: int
    tokens: int
    padded: int

    @property
    def padding_saved(self) -> float:
        """The fraction of the rows of batches with padding that would have held nothing."""
        return 1 - self.tokens / self.padded


class BatchStream:
    """Pass after pass over the data; ``epoch`` and ``batch`` name the batch that comes next.

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
        self._open(epoch, batch)

    def take(self, count: int) -> Share:
        """``count`` of the next batches for each process, across the end of a pass if need be."""
        drawn = [self._next() for _ in range(count * self._size)]
        tokens = [self._batches.tokens(pairs) for pairs in drawn]
        costs = [source + target for source, target in tokens]
        own = [self._batches.batch(drawn[i]) for i in deal(costs, self._rank, self._size)]
        padded = sum(self._batches.padded_tokens(pairs) for pairs in drawn)
        return Share(own, sum(target for _, target in tokens), sum(costs), padded)

    @property
    def passes(self) -> float:
        """How often the data was seen, the begun pass as a fraction."""
        return self.epoch + self.batch / self.batches_in_epoch

    def _next(self) -> NDArray[Any]:
        pairs = self._batches.plan(self.epoch).pairs(self.batch)
        self.batch += 1
        if self.batch == self.batches_in_epoch:
            self._open(self.epoch + 1, 0)
        return pairs

    def _open(self, epoch: int, batch: int) -> None:
        self.epoch = epoch
        self.batch = batch
        self.batches_in_epoch = self._batches.batches_per_epoch(epoch)


def deal(costs: Sequence[int], rank: int, size: int) -> list[int]:
    """Which of these batches process ``rank`` takes, in their order.

    Equally many go to each; dealt by falling cost, there and back, so that the sums are close.
    """
    falling = sorted(range(len(costs)), key=lambda i: (-costs[i], i))
    turns = [falling[start : start + size] for start in range(0, len(costs), size)]
    return sorted(turn[rank if n % 2 == 0 else -1 - rank] for n, turn in enumerate(turns))
