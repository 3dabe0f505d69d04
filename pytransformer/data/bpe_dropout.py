"""Sentences in other pieces whenever they are read: BPE dropout (Provilkov et al. 2020).

A model that meets a word in many spellings learns what its pieces mean, which helps most where data
is scarce. SentencePiece samples, too, but mixes its seed with what differs from process to process,
so that no run could be made again; hence the merges are done here, on the characters that the
prepared pieces consist of.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pytransformer.data.tokenizer import SPACE, Tokenizer
from pytransformer.subwords import Bpe

# What a batch of a pass is drawn by.
Place = tuple[int, ...]


class BpeDropout:
    """Draws pieces for the sentences of a batch, the same ones whenever the same batch is read."""

    def __init__(
        self, tokenizer: Tokenizer, probability: float, longest: int | None = None
    ) -> None:
        """Take the merges from a vocabulary.

        Args:
            tokenizer: that of the data; see ``fits``.
            probability: of leaving a merge out, each time that it could be done.
            longest: tokens of a sentence at most; one that was drawn longer stays as it was.
        """
        self._bpe = _bpe(tokenizer)
        self._probability = probability
        self._longest = longest

    def fits(self, tokens: NDArray[Any], lengths: NDArray[np.int64]) -> bool:
        """Whether merging characters leads to these sentences, as it does with BPE alone.

        Args:
            tokens: of all sentences, end to end.
            lengths: int64 ``[sentences]``, tokens of each.
        """
        merged, _ = self._bpe.segment(tokens, lengths, 0.0, 0)
        return np.array_equal(merged, tokens)

    def draw(
        self, tokens: NDArray[Any], lengths: NDArray[np.int64], place: Place
    ) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """Other pieces of the same sentences.

        Args:
            tokens: of all sentences, end to end.
            lengths: int64 ``[sentences]``, tokens of each.
            place: whole numbers that tell these sentences from all others; they decide the draw.

        Returns:
            tokens and lengths, as the arguments.
        """
        seed = int(np.random.SeedSequence(place).generate_state(1, np.uint64)[0])
        drawn, drawn_lengths = self._bpe.segment(tokens, lengths, self._probability, seed)
        if self._longest is None or drawn_lengths.max(initial=0) <= self._longest:
            return drawn, drawn_lengths
        fit = drawn_lengths <= self._longest
        ends, drawn_ends = np.cumsum(lengths), np.cumsum(drawn_lengths)
        parts = [
            drawn[drawn_ends[i] - drawn_lengths[i] : drawn_ends[i]]
            if fit[i]
            else tokens[ends[i] - lengths[i] : ends[i]]
            for i in range(len(lengths))
        ]
        return np.concatenate(parts), np.where(fit, drawn_lengths, lengths)


def _bpe(tokenizer: Tokenizer) -> Bpe:
    """The merges that a vocabulary allows: any two pieces whose spelling together is a piece.

    SentencePiece's BPE ranks pieces by the order in which it learned them. A piece with a character
    that is no piece itself (``</s>``, ``<unk>``) stays whole.
    """
    spelling = tokenizer.spelling()
    ids = {piece: index for index, piece in enumerate(spelling)}
    special = {tokenizer.eos_id, tokenizer.unk_id, tokenizer.pad_id}
    characters: list[list[int]] = []
    merges = []
    for index, piece in enumerate(spelling):
        whole = index in special or not all(character in ids for character in piece)
        characters.append([index] if whole else [ids[character] for character in piece])
        if whole:
            continue
        for cut in range(1, len(piece)):
            left, right = ids.get(piece[:cut]), ids.get(piece[cut:])
            if left is not None and right is not None:
                merges.append((left, right, index))
    scores = np.array(tokenizer.scores())
    ranks = np.empty(len(scores), np.int32)
    ranks[np.argsort(-scores, kind="stable")] = np.arange(len(scores))
    return Bpe(
        np.array([index for piece in characters for index in piece], np.int32),
        np.cumsum([0, *map(len, characters)]),
        np.array(merges, np.int32).reshape(-1, 3),
        ranks,
        ids.get(SPACE, -1),
    )
