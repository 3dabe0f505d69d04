"""Byte pair encoding with merges left out at random, in plain Python.

Sources: Sennrich et al. 2016; Provilkov et al. 2020, algorithm 1; Steele, Lea, Flood, "Fast
splittable pseudorandom number generators", OOPSLA 2014 (SplitMix64).
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

_ALL_BITS = 2**64 - 1
_GOLDEN = 0x9E3779B97F4A7C15


class Bpe:
    """Cuts sentences, which are given as pieces, into other pieces."""

    def __init__(
        self,
        characters: NDArray[np.int32],
        offsets: NDArray[np.int64],
        merges: NDArray[np.int32],
        ranks: NDArray[np.int32],
        space: int,
    ) -> None:
        """Take a vocabulary.

        Args:
            characters: ``[characters of all pieces]``, each the id of the piece that it is.
            offsets: ``[pieces + 1]``; where each piece's characters begin.
            merges: ``[merges, 3]``: two neighbours and the piece that they become.
            ranks: ``[pieces]``; of two merges the one whose piece has the lower rank comes first,
                of equal ones the left one.
            space: the character that begins a word; no merge goes across it.

        Raises:
            ValueError: if they do not fit together (the compiled class only).
        """
        bounds = offsets.tolist()
        ids = characters.tolist()
        self._characters = [ids[a:b] for a, b in pairwise(bounds)]
        self._merges = {(left, right): merged for left, right, merged in merges.tolist()}
        self._ranks = ranks.tolist()
        self._space = space

    def segment(
        self, tokens: NDArray[Any], lengths: NDArray[np.int64], dropout: float, seed: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The same sentences in pieces drawn by ``seed``.

        Args:
            tokens: ids of all sentences, end to end.
            lengths: ``[sentences]``, ids of each.
            dropout: the probability of leaving a merge out, each time that it could be done; at
                least 0 (which gives the pieces of plain BPE) and less than 1.
            seed: 0 to 2^64 - 1.

        Returns:
            tokens and lengths, int64, as the arguments.

        Raises:
            ValueError: if an argument is out of range (the compiled class only).
        """
        ends = np.cumsum(lengths)
        ids = tokens.tolist()
        sentences = []
        for number, (start, end) in enumerate(
            zip((ends - lengths).tolist(), ends.tolist(), strict=True)
        ):
            draws = _Draws(dropout, seed, number)
            characters = [c for index in ids[start:end] for c in self._characters[index]]
            words = _split(characters, self._space)
            sentences.append([piece for word in words for piece in self._merge(word, draws)])
        flat = [piece for sentence in sentences for piece in sentence]
        new_lengths = [len(sentence) for sentence in sentences]
        return np.array(flat, np.int64), np.array(new_lengths, np.int64)

    def _merge(self, word: list[int], draws: _Draws) -> list[int]:
        while True:
            possible = []
            for index, pair in enumerate(pairwise(word)):
                merged = self._merges.get(pair)
                if merged is not None and not draws.left_out():
                    possible.append((self._ranks[merged], index, merged))
            if not possible:
                return word
            _, index, merged = min(possible)
            word = [*word[:index], merged, *word[index + 2 :]]


class _Draws:
    """A sentence's own sequence of choices."""

    def __init__(self, probability: float, seed: int, sentence: int) -> None:
        self._state = _mix(seed) + _mix((sentence + _GOLDEN) & _ALL_BITS)
        self._below = int(probability * 2.0**53)

    def left_out(self) -> bool:
        if self._below == 0:
            return False
        self._state = (self._state + _GOLDEN) & _ALL_BITS
        return _mix(self._state) >> 11 < self._below


def _mix(z: int) -> int:
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _ALL_BITS
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _ALL_BITS
    return z ^ (z >> 31)


def _split(characters: list[int], space: int) -> list[list[int]]:
    words: list[list[int]] = [[]]
    for character in characters:
        if character == space:
            words.append([])
        words[-1].append(character)
    return words
