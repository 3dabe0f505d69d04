"""The endless sequence of training batches, with a position that can be saved."""

from __future__ import annotations

from collections.abc import Iterator

from pytransformer.data.batches import Batch, TokenBatches


class BatchStream:
    """Pass after pass over the data; ``epoch`` and ``batch`` name the batch that comes next."""

    def __init__(self, batches: TokenBatches, epoch: int, batch: int) -> None:
        self._batches = batches
        self._open(epoch, batch)

    def take(self, count: int) -> list[Batch]:
        """The next ``count`` batches, across the end of a pass where it falls between them."""
        return [self._next() for _ in range(count)]

    @property
    def passes(self) -> float:
        """How often the data was seen, the begun pass as a fraction."""
        return self.epoch + self.batch / self.batches_in_epoch

    def _next(self) -> Batch:
        batch = next(self._iterator)
        self.batch += 1
        if self.batch == self.batches_in_epoch:
            self._open(self.epoch + 1, 0)
        return batch

    def _open(self, epoch: int, batch: int) -> None:
        self.epoch = epoch
        self.batch = batch
        self.batches_in_epoch = self._batches.batches_per_epoch(epoch)
        self._iterator: Iterator[Batch] = iter(self._batches.epoch(epoch, start=batch))
