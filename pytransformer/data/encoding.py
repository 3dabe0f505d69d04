"""Many pairs to ids on all cores, in their order."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, fields
from itertools import chain, islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pytransformer.data.tokenizer import Tokenizer

# Pairs that are turned into ids at once.
_CHUNK = 10_000

Pair = tuple[str, str]


@dataclass
class SplitCounts:
    """What became of the pairs of one split; tokens are without ``</s>``."""

    pairs: int = 0
    source_tokens: int = 0
    target_tokens: int = 0
    dropped_empty: int = 0
    dropped_too_long: int = 0

    def add(self, other: SplitCounts) -> None:
        """Count what ``other`` counts, too."""
        for field in fields(self):
            setattr(self, field.name, getattr(self, field.name) + getattr(other, field.name))


@dataclass(frozen=True)
class Encoded:
    """A run of neighbouring pairs.

    Attributes:
        read: how many pairs it was made of.
        kept: those that are usable.
        tokens: ids of the usable ones, end to end: source, target.
        lengths: int64, ids of each: source, target.
        counts: what became of all.
    """

    read: int
    kept: Sequence[Pair]
    tokens: tuple[NDArray[Any], NDArray[Any]]
    lengths: tuple[NDArray[np.int64], NDArray[np.int64]]
    counts: SplitCounts


def encode_all(
    pairs: Iterator[Pair], tokenizer: Tokenizer, max_length: int, threads: int
) -> Iterator[Encoded]:
    """Turn pairs into ids, a few runs ahead of the one that is taken.

    SentencePiece leaves Python to other threads while it works, so that threads suffice.

    Args:
        pairs: sentences and their translations.
        tokenizer: for both sides.
        max_length: pairs are dropped where a side has more tokens than this, ``</s>`` included.
        threads: how many work at once; the result does not depend on it.
    """
    coming: deque[Future[Encoded]] = deque()
    pool = ThreadPoolExecutor(threads, thread_name_prefix="encoding")
    try:
        while chunk := list(islice(pairs, _CHUNK)):
            coming.append(pool.submit(_encode, chunk, tokenizer, max_length))
            if len(coming) > threads:
                yield coming.popleft().result()
        while coming:
            yield coming.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _encode(pairs: list[Pair], tokenizer: Tokenizer, max_length: int) -> Encoded:
    sources = tokenizer.encode([source for source, _ in pairs])
    targets = tokenizer.encode_target([target for _, target in pairs])
    counts = SplitCounts()
    kept, ids = [], []
    for pair, source, target in zip(pairs, sources, targets, strict=True):
        if not source or not target:
            counts.dropped_empty += 1
        elif max(len(source), len(target)) >= max_length:  # </s> counts too
            counts.dropped_too_long += 1
        else:
            kept.append(pair)
            ids.append((source, target))
    source_ids, source_lengths = _flat([source for source, _ in ids])
    target_ids, target_lengths = _flat([target for _, target in ids])
    counts.pairs = len(kept)
    counts.source_tokens, counts.target_tokens = len(source_ids), len(target_ids)
    tokens, lengths = (source_ids, target_ids), (source_lengths, target_lengths)
    return Encoded(len(pairs), kept, tokens, lengths, counts)


def _flat(sentences: Sequence[Sequence[int]]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    lengths = np.fromiter(map(len, sentences), np.int64, len(sentences))
    return np.fromiter(chain.from_iterable(sentences), np.uint32, int(lengths.sum())), lengths
