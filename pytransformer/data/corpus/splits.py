"""Draws distinct sentences, splits them, and writes them down."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pytransformer.data.corpus.english import english
from pytransformer.data.corpus.german import german
from pytransformer.data.corpus.korean import korean
from pytransformer.data.corpus.meaning import Sentence
from pytransformer.data.corpus.sentence_sampler import SentenceSampler
from pytransformer.files import atomic_file

Target = Literal["de", "ko"]
Pairs = list[tuple[str, str]]

# The grammar has more, but by here one draw in three repeats an earlier sentence.
CAPACITY = 1_000_000
# Words of an English sentence.
SHORTEST, LONGEST = 4, 14
_REALISERS: dict[str, Callable[[Sentence], str]] = {"de": german, "ko": korean}


@dataclass(frozen=True)
class Splits:
    """Pairs of an English sentence and its translation; no English sentence occurs twice."""

    train: Pairs
    valid: Pairs
    test: Pairs


def generate(
    target: Target,
    *,
    seed: int = 1,
    train: int = 40_000,
    valid: int = 500,
    test: int = 500,
) -> Splits:
    """The corpus from English to German ("de") or Korean ("ko").

    The same arguments give the same sentences on every machine and in every Python. Both targets
    translate the same English sentences.

    Raises:
        ValueError: if ``target`` is neither, if a size is negative, or if the sizes add up to more
            than the ``CAPACITY`` of the grammar.
    """
    if target not in _REALISERS:
        raise ValueError(f"target = {target!r}: must be one of {', '.join(_REALISERS)}")
    for name, size in (("train", train), ("valid", valid), ("test", test)):
        if size < 0:
            raise ValueError(f"{name} = {size}: must be at least 0")
    total = train + valid + test
    if total > CAPACITY:
        raise ValueError(
            f"train + valid + test = {total}: the grammar has {CAPACITY} distinct sentences to "
            "give; ask for fewer"
        )
    pairs = _distinct(SentenceSampler(seed), _REALISERS[target], total)
    return Splits(pairs[:train], pairs[train : train + valid], pairs[train + valid :])


def write(
    directory: Path,
    target: Target,
    *,
    seed: int = 1,
    train: int = 40_000,
    valid: int = 500,
    test: int = 500,
) -> None:
    """Writes ``generate``'s sentences, one a line, as UTF-8: ``train.en``, ``train.de``, and so on.

    The directory is made if it is missing. Every file appears whole or not at all.

    Raises:
        ValueError: as ``generate`` does.
        WriteError: if the system refuses to write a file, which is then as it was.
    """
    splits = generate(target, seed=seed, train=train, valid=valid, test=test)
    for name, pairs in (("train", splits.train), ("valid", splits.valid), ("test", splits.test)):
        _write_lines(directory / f"{name}.en", [source for source, _ in pairs])
        _write_lines(directory / f"{name}.{target}", [translation for _, translation in pairs])


def _distinct(sampler: SentenceSampler, realise: Callable[[Sentence], str], count: int) -> Pairs:
    pairs: dict[str, str] = {}
    while len(pairs) < count:
        sentence = sampler.sentence()
        source = english(sentence)
        if SHORTEST <= len(source.split()) <= LONGEST and source not in pairs:
            pairs[source] = realise(sentence)
    return list(pairs.items())


def _write_lines(path: Path, lines: list[str]) -> None:
    with atomic_file(path) as temporary:
        temporary.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline="\n")
