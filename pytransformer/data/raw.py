"""Which pairs of raw text are for what."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from tqdm import tqdm

from pytransformer.data.encoding import Pair
from pytransformer.data.text import read_pairs
from pytransformer.data.unfinished import Unfinished
from pytransformer.errors import UserError

# The tokenizer learns from at most this many pairs, taken at even distances.
TOKENIZER_PAIRS = 1_000_000
# At most this share of the pairs is held out for validation.
HELD_OUT_SHARE = 0.05


@dataclass(frozen=True)
class RawSplit:
    """The pairs ``start`` up to ``stop`` of two parallel files."""

    name: str
    source: Path
    target: Path
    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start

    def pairs(self, skip: int = 0) -> Iterator[Pair]:
        """Its pairs, without the first ``skip``."""
        return islice(read_pairs(self.source, self.target), self.start + skip, self.stop)


def find_splits(
    raw: list[Path], valid_lines: int, work: Unfinished, progress: bool
) -> tuple[RawSplit, RawSplit]:
    """Read all text once, which checks it and counts it, and say which pairs are for what."""
    if "totals" not in work.progress:
        totals = []
        for source, target in zip(raw[::2], raw[1::2], strict=True):
            pairs = tqdm(read_pairs(source, target), "reading", unit=" pairs", disable=not progress)
            totals.append(sum(1 for _ in pairs))
        work.note({"totals": totals})
    totals = work.progress["totals"]
    train = RawSplit("train", raw[0], raw[1], 0, totals[0])
    if len(raw) == 4:
        return train, RawSplit("valid", raw[2], raw[3], 0, totals[1])
    if totals[0] < 2:
        raise UserError(f"{raw[0]} has {totals[0]} lines; holding one out takes at least 2")
    start = totals[0] - min(valid_lines, max(1, int(totals[0] * HELD_OUT_SHARE)))
    return (
        RawSplit("train", raw[0], raw[1], 0, start),
        RawSplit("valid", raw[0], raw[1], start, totals[0]),
    )


def sample(split: RawSplit) -> Iterator[str]:
    """The sentences of both sides that the tokenizer learns from."""
    stride = max(1, -(-len(split) // TOKENIZER_PAIRS))
    for pair in islice(split.pairs(), 0, None, stride):
        yield from pair
