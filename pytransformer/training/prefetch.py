"""Batches made ahead, so that an update does not wait for them."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType

from pytransformer.training.stream import BatchStream, Share

# Shares kept ready: enough to bridge the plan of the next pass over much data.
_AHEAD = 8


class Prefetch:
    """Takes from a stream in a thread of its own; a context manager that ends the thread.

    What the thread does is NumPy's and SentencePiece's work, which leaves Python to the updates.
    """

    def __init__(self, stream: BatchStream, count: int) -> None:
        """Begin.

        Args:
            stream: to take from; nobody else may meanwhile.
            count: batches of a share.
        """
        self._stream = stream
        self._count = count
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="batches")
        self._coming: deque[Future[Share]] = deque()
        for _ in range(_AHEAD):
            self._order()

    def take(self) -> Share:
        """The next share; what went wrong while it was made is raised here."""
        share = self._coming.popleft().result()
        self._order()
        return share

    def __enter__(self) -> Prefetch:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._thread.shutdown(wait=True, cancel_futures=True)

    def _order(self) -> None:
        self._coming.append(self._thread.submit(self._stream.take, self._count))
