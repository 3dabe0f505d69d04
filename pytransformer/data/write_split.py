"""The ids of a split, written so that a killed process loses the last half minute of work."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from types import TracebackType

from tqdm import tqdm

from pytransformer.data.encoding import Encoded, SplitCounts, encode_all
from pytransformer.data.layout import SIDES, text_file, token_stem
from pytransformer.data.ragged import RaggedWriter, token_dtype
from pytransformer.data.raw import RawSplit
from pytransformer.data.tokenizer import Tokenizer
from pytransformer.data.unfinished import Unfinished
from pytransformer.errors import UserError

# How often it is noted how far the work is.
_NOTE_SECONDS = 30.0


def write_split(
    work: Unfinished,
    split: RawSplit,
    tokenizer: Tokenizer,
    max_length: int,
    threads: int,
    progress: bool,
) -> SplitCounts:
    """Write the ids of a split, from where an earlier process noted; ``valid`` from its start.

    Args:
        work: the directory, and what an earlier process did for it.
        split: the text.
        tokenizer: for both sides.
        max_length: see ``encode_all``.
        threads: likewise.
        progress: show a bar.

    Raises:
        UserError: if no pair is usable, or what was written before is damaged.
    """
    place = _Place(**work.progress.get(split.name, {}))
    if place.finished:
        return place.split_counts
    bar = tqdm(
        desc=split.name, initial=place.read, total=len(split), unit=" pairs", disable=not progress
    )
    with bar, _SplitFiles(work, split.name, tokenizer, place) as output:
        for encoded in encode_all(split.pairs(place.read), tokenizer, max_length, threads):
            output.append(encoded)
            bar.update(encoded.read)
        counts = output.place.split_counts
        _require_pairs(split, counts, max_length)
        output.finish()
    return counts


@dataclass(frozen=True)
class _Place:
    """How far a split is written.

    Attributes:
        read: pairs of the text.
        counts: what became of them, a ``SplitCounts`` as plain values.
        finished: whether the files are complete.
    """

    read: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    finished: bool = False

    @property
    def split_counts(self) -> SplitCounts:
        return SplitCounts(**self.counts)


class _SplitFiles:
    """The files of a split while they are written; an interruption notes how far they are."""

    def __init__(self, work: Unfinished, name: str, tokenizer: Tokenizer, place: _Place) -> None:
        self.place = place
        self._work = work
        self._name = name
        self._fold = str.casefold if tokenizer.folds_case else str
        self._noted_at = time.monotonic()
        self._open = ExitStack()
        dtype, sequences = token_dtype(tokenizer.vocab_size), place.split_counts.pairs
        self._writers = [
            self._open.enter_context(
                RaggedWriter(token_stem(work.directory, name, side), dtype, sequences)
            )
            for side in SIDES
        ]
        self._texts = [
            self._open.enter_context(
                text_file(work.directory, name, side).open("w", encoding="utf-8", newline="")
            )
            for side in SIDES
            if name == "valid"
        ]

    def append(self, encoded: Encoded) -> None:
        """Add pairs; note now and then how far the work is."""
        for writer, tokens, lengths in zip(
            self._writers, encoded.tokens, encoded.lengths, strict=True
        ):
            writer.append(tokens, lengths)
        for side, text in enumerate(self._texts):
            text.writelines(self._fold(pair[side]) + "\n" for pair in encoded.kept)
        counts = self.place.split_counts
        counts.add(encoded.counts)
        self.place = _Place(self.place.read + encoded.read, asdict(counts))
        if time.monotonic() - self._noted_at > _NOTE_SECONDS:
            self._note()

    def finish(self) -> None:
        """Complete the files."""
        for writer in self._writers:
            writer.finish()
        self.place = replace(self.place, finished=True)
        self._note()

    def __enter__(self) -> _SplitFiles:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if isinstance(error, KeyboardInterrupt) and not self.place.finished:
            self._note()
        self._open.close()

    def _note(self) -> None:
        if self._name == "train":  # the other is short
            for writer in self._writers:
                writer.flush()
            self._work.note({**self._work.progress, self._name: asdict(self.place)})
        self._noted_at = time.monotonic()


def _require_pairs(split: RawSplit, counts: SplitCounts, max_length: int) -> None:
    if counts.pairs == 0:
        raise UserError(
            f"none of the {len(split)} pairs for {split.name} is usable: {counts.dropped_empty} "
            f"empty, {counts.dropped_too_long} longer than --max-length {max_length}"
        )
