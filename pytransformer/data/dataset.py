"""Prepared pairs, mapped from the disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pytransformer.data.layout import (
    PREPARE_AGAIN,
    SIDES,
    SPLITS,
    check_file,
    check_tokenizer,
    read_info,
    text_file,
    token_stem,
)
from pytransformer.data.ragged import (
    gather,
    largest_token,
    let_go,
    offset_file,
    open_ragged,
    token_file,
)
from pytransformer.data.text import read_lines
from pytransformer.errors import UserError

# After so many sentences the mapped pages are let go: the system maps 64 KB around each.
_KEPT_SENTENCES = 2000


class ParallelDataset:
    """The pairs of one split of a directory that ``prepare`` wrote.

    Attributes:
        directory: where the data lies; ``Tokenizer.load`` reads the tokenizer from it.
        split: ``train`` or ``valid``.
        info: the content of ``info.json``.
        source_tokens, target_tokens: uint16 or uint32 ``[tokens]``, mapped from the disk; all
            sentences end to end, without ``</s>`` and the start token.
        source_offsets, target_offsets: int64 ``[pairs + 1]``; where each sentence begins.
        source_lengths, target_lengths: int32 ``[pairs]``; tokens of each sentence.
    """

    def __init__(self, directory: str | Path, split: str = "train") -> None:
        """Open one split.

        The tokenizer's files, the offsets and the size of the tokens are checked here; ``verify``
        checks the tokens too, which takes about a second for a gigabyte.

        Raises:
            UserError: naming the file that is missing, truncated, foreign or changed.
            ValueError: if there is no such split.
        """
        if split not in SPLITS:
            raise ValueError(f"split = {split!r}: must be one of {', '.join(SPLITS)}")
        self.directory = Path(directory)
        self.split = split
        self.info: dict[str, Any] = read_info(self.directory)
        check_tokenizer(self.directory, self.info)
        for side in SIDES:
            stem = token_stem(self.directory, split, side)
            check_file(self.directory, self.info, offset_file(stem).name)
            check_file(self.directory, self.info, token_file(stem).name, content=False)
        self.source_tokens, self.source_offsets = self._open("source")
        self.target_tokens, self.target_offsets = self._open("target")
        self.source_lengths: NDArray[np.int32] = _lengths(self.source_offsets)
        self.target_lengths: NDArray[np.int32] = _lengths(self.target_offsets)
        self._gathered = 0
        if len(self.source_lengths) != len(self.target_lengths):
            raise UserError(
                f"{self.directory} has {len(self.source_lengths)} source sentences and "
                f"{len(self.target_lengths)} target sentences for {split}; {PREPARE_AGAIN}"
            )

    def __len__(self) -> int:
        """The number of pairs."""
        return len(self.source_lengths)

    @property
    def vocab_size(self) -> int:
        """Ids, ``<pad>`` included; ``<pad>`` is the last."""
        return int(self.info["vocab_size"])

    @property
    def longest(self) -> int:
        """Rows of the longest sentence, ``</s>`` or the start token included."""
        return 1 + int(max(self.source_lengths.max(initial=0), self.target_lengths.max(initial=0)))

    def source(self, index: int) -> NDArray[Any]:
        """The ids of source sentence ``index``, 1-d, a read-only view of the mapped file."""
        return _row(self.source_tokens, self.source_offsets, index)

    def target(self, index: int) -> NDArray[Any]:
        """The ids of target sentence ``index``, 1-d, a read-only view of the mapped file."""
        return _row(self.target_tokens, self.target_offsets, index)

    def gather(
        self, side: str, indices: NDArray[np.int64]
    ) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """The sentences of these pairs on one side, copied from the mapped file.

        Args:
            side: ``source`` or ``target``.
            indices: of the pairs.

        Returns:
            their tokens end to end, and int64 ``[pairs]``, the length of each.
        """
        tokens, offsets = {
            "source": (self.source_tokens, self.source_offsets),
            "target": (self.target_tokens, self.target_offsets),
        }[side]
        gathered = gather(tokens, offsets, indices)
        self._gathered += len(indices)
        if self._gathered > _KEPT_SENTENCES:
            self._gathered = 0
            for mapped in (self.source_tokens, self.target_tokens):
                let_go(mapped)
        return gathered

    def pairs_of_epoch(self, bits: np.random.PCG64) -> NDArray[np.int64]:
        """The pairs that a pass over the data takes: each once (see ``Mixture``)."""
        return np.arange(len(self))

    def source_text(self) -> list[str]:
        """The untokenised source sentences, which are kept for ``valid``."""
        return self._text("source")

    def target_text(self) -> list[str]:
        """The untokenised target sentences, which are kept for ``valid``."""
        return self._text("target")

    def verify(self) -> None:
        """Check every token: the files against their checksums, the ids against the vocabulary.

        Raises:
            UserError: naming the file that is changed.
        """
        for side, tokens in (("source", self.source_tokens), ("target", self.target_tokens)):
            path = token_file(token_stem(self.directory, self.split, side))
            check_file(self.directory, self.info, path.name)
            largest = largest_token(tokens)
            if largest >= self.vocab_size - 1:
                raise UserError(
                    f"{path} holds the id {largest}, but the vocabulary ends at "
                    f"{self.vocab_size - 2}; {PREPARE_AGAIN}"
                )

    def _open(self, side: str) -> tuple[NDArray[Any], NDArray[np.int64]]:
        return open_ragged(token_stem(self.directory, self.split, side))

    def _text(self, side: str) -> list[str]:
        path = text_file(self.directory, self.split, side)
        check_file(self.directory, self.info, path.name)
        return list(read_lines(path))


def _lengths(offsets: NDArray[np.int64]) -> NDArray[np.int32]:
    return np.diff(offsets).astype(np.int32)


def _row(tokens: NDArray[Any], offsets: NDArray[np.int64], index: int) -> NDArray[Any]:
    if not 0 <= index < len(offsets) - 1:
        raise IndexError(f"pair {index} does not exist; there are {len(offsets) - 1}")
    return tokens[offsets[index] : offsets[index + 1]]
