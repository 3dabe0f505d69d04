"""BPE without dropout is SentencePiece's; with it, merges go as the paper's algorithm says."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from pytransformer import ops
from pytransformer.data import ParallelDataset, TokenBatches, Tokenizer, train_tokenizer
from pytransformer.data.bpe_dropout import BpeDropout
from pytransformer.packed import Packed
from pytransformer.subwords import Bpe, plain
from tests.data.test_tokenizer import LINES


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return train_tokenizer(LINES, vocab_size=100)


def flat(sentences: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    lengths = np.array([len(sentence) for sentence in sentences], np.int64)
    return np.array([index for one in sentences for index in one], np.uint16), lengths


def nested(tokens: np.ndarray, lengths: np.ndarray) -> list[list[int]]:
    ends = [0, *np.cumsum(lengths).tolist()]
    return [tokens[start:end].tolist() for start, end in pairwise(ends)]


def test_without_dropout_the_pieces_are_sentencepieces(tokenizer: Tokenizer) -> None:
    lines = [*LINES, "a ☃ house", "Kaninchen", "  the   house ", "", "oldsmallHaus고양이"]
    sentences = tokenizer.encode(lines)
    assert BpeDropout(tokenizer, 0.1).fits(*flat(sentences))
    # From other pieces of the same text, too.
    drawn = BpeDropout(tokenizer, 0.5).draw(*flat(sentences), (1,))
    assert nested(*drawn) != sentences
    assert nested(*BpeDropout(tokenizer, 0.0).draw(*drawn, (1,))) == sentences


def test_other_pieces_say_the_same_and_can_be_drawn_again(tokenizer: Tokenizer) -> None:
    sentences = tokenizer.encode(LINES)
    dropout = BpeDropout(tokenizer, 0.3)
    drawn = nested(*dropout.draw(*flat(sentences), (5, 1, 2)))
    assert tokenizer.decode(drawn) == LINES
    assert drawn != sentences
    assert nested(*dropout.draw(*flat(sentences), (5, 1, 2))) == drawn
    assert nested(*dropout.draw(*flat(sentences), (5, 1, 3))) != drawn
    # Equal sentences of one batch are drawn one by one.
    assert len({tuple(sentence) for sentence in drawn[:: len(LINES) // 4]}) > 1


def test_an_unknown_character_stays_one(tokenizer: Tokenizer) -> None:
    (sentence,) = tokenizer.encode(["the small ☃ house"])
    (drawn,) = nested(*BpeDropout(tokenizer, 0.9).draw(*flat([sentence]), (1,)))
    assert len(drawn) > len(sentence)
    assert drawn.count(tokenizer.unk_id) == sentence.count(tokenizer.unk_id) == 1


# Characters a b c d, and what they may become: 4 = ab, 5 = bc, 6 = abc, 7 = cd, 8 = abcd. The pair
# bc comes first, then ab, cd, abc, abcd.
CHARACTERS = [[0], [1], [2], [3], [0, 1], [1, 2], [0, 1, 2], [2, 3], [0, 1, 2, 3]]
MERGES = [(0, 1, 4), (1, 2, 5), (4, 2, 6), (0, 5, 6), (2, 3, 7), (6, 3, 8), (4, 7, 8), (0, 5, 6)]
RANKS = [9, 9, 9, 9, 1, 0, 3, 2, 4]


def letters(implementation):
    return implementation(
        np.array([c for piece in CHARACTERS for c in piece], np.int32),
        np.cumsum([0, *map(len, CHARACTERS)]),
        np.array(MERGES, np.int32),
        np.array(RANKS, np.int32),
        -1,
    )


def probabilities(word: tuple[int, ...], dropout: float) -> dict[tuple[int, ...], float]:
    """Of every segmentation, by following each subset of the possible merges (algorithm 1)."""
    merged = {(left, right): piece for left, right, piece in MERGES}
    possible = sorted(
        (RANKS[merged[pair]], index, merged[pair])
        for index, pair in enumerate(pairwise(word))
        if pair in merged
    )
    result: dict[tuple[int, ...], float] = defaultdict(float)
    none = 1.0
    for _, index, piece in possible:  # this one is kept and all before it are left out
        after = (*word[:index], piece, *word[index + 2 :])
        for final, probability in probabilities(after, dropout).items():
            result[final] += none * (1 - dropout) * probability
        none *= dropout
    result[word] += none
    return dict(result)


@pytest.mark.parametrize("dropout", [0.1, 0.5])
def test_segmentations_come_as_often_as_they_should(dropout: float) -> None:
    word, count = (0, 1, 2, 3, 0, 1), 40_000
    tokens, lengths = np.tile(word, count), np.full(count, len(word))
    bpe = letters(Bpe)
    if ops.BACKEND == "reference":
        count = 4000
        tokens, lengths = tokens[: count * len(word)], lengths[:count]
    found = Counter(map(tuple, nested(*bpe.segment(tokens, lengths, dropout, 7))))
    expected = probabilities(word, dropout)
    assert sum(expected.values()) == pytest.approx(1)
    assert found.keys() <= expected.keys()
    for segmentation, probability in expected.items():
        # Five standard deviations; what is too rare for that is bounded by a count.
        margin = 5 * (count * probability * (1 - probability)) ** 0.5 + 3
        assert abs(found[segmentation] - count * probability) < margin, segmentation


@pytest.mark.skipif(ops.BACKEND == "reference", reason="compares the other backend with it")
@pytest.mark.parametrize("dropout", [0.0, 0.1, 0.9])
def test_the_compiled_class_draws_the_bits_of_the_reference(
    tokenizer: Tokenizer, dropout: float
) -> None:
    random = np.random.default_rng(1)
    lengths = random.integers(0, 12, 50)
    tokens = random.integers(0, len(CHARACTERS), lengths.sum())
    for seed in (0, 1, 2**64 - 1):
        ours = letters(Bpe).segment(tokens, lengths, dropout, seed)
        theirs = letters(plain.Bpe).segment(tokens, lengths, dropout, seed)
        assert nested(*ours) == nested(*theirs)
        assert ours[0].dtype == theirs[0].dtype == ours[1].dtype == np.int64


@pytest.mark.skipif(ops.BACKEND == "reference", reason="plain Python indexes as it may")
@pytest.mark.parametrize(
    ("tokens", "lengths", "dropout", "message"),
    [
        ([0, 9], [2], 0.1, "an id that is no piece"),
        ([0, -1], [2], 0.1, "an id that is no piece"),
        ([0, 1], [1], 0.1, "lengths do not add up"),
        ([0, 1], [3], 0.1, "lengths do not add up"),
        ([0, 1], [3, -1], 0.1, "lengths do not add up"),
        ([0, 1], [2], 1.0, "dropout must be at least 0 and less than 1"),
        ([0, 1], [2], float("nan"), "dropout must be at least 0 and less than 1"),
    ],
)
def test_what_would_read_elsewhere_is_refused(tokens, lengths, dropout, message) -> None:
    with pytest.raises(ValueError, match=message):
        letters(Bpe).segment(np.array(tokens), np.array(lengths), dropout, 0)


@pytest.mark.skipif(ops.BACKEND == "reference", reason="plain Python indexes as it may")
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({0: [0, 1, 9]}, "name a piece that does not exist"),
        ({1: [0, 1, 2]}, "offsets do not rise"),
        ({1: [0, 2, 1, 3]}, "offsets do not rise"),
        ({2: [[0, 1]]}, r"merges are no \[count, 3\]"),
        ({2: [[0, 1, -1]]}, "name a piece that does not exist"),
        ({3: [0, 1]}, "ranks do not number every piece"),
    ],
)
def test_a_vocabulary_that_does_not_fit_is_refused(changes, message: str) -> None:
    parts = [[0, 1, 2], [0, 1, 2, 3], [[0, 1, 2]], [0, 1, 2]]
    for index, value in changes.items():
        parts[index] = value
    with pytest.raises(ValueError, match=message):
        Bpe(*(np.array(part) for part in parts), -1)


def test_batches_are_drawn_anew_in_every_pass_and_alike_at_every_reading(data: Path) -> None:
    dataset = ParallelDataset(data)
    tokenizer = Tokenizer.load(data)
    plain = TokenBatches(dataset, 300, seed=1)
    drawing = TokenBatches(dataset, 300, seed=1, bpe_dropout=BpeDropout(tokenizer, 0.3))
    first, again = list(drawing.epoch(0)), list(drawing.epoch(0, start=2))
    assert all(map(_same, first[2:], again))
    assert not all(map(_same, first, plain.epoch(0)))
    pairs = drawing.plan(0).pairs(0)
    assert not _same(drawing.batch(pairs, 0), drawing.batch(pairs, 1))
    for batch, as_prepared in zip(first, plain.epoch(0), strict=True):
        for one, other in ((batch.src, as_prepared.src), (batch.tgt, as_prepared.tgt)):
            assert tokenizer.decode(_sentences(one)) == tokenizer.decode(_sentences(other))
        assert batch.tokens_source == len(batch.src.values)
        assert batch.tokens_target == len(batch.tgt.values) - len(batch.tgt)


def test_a_sentence_drawn_too_long_stays(data: Path) -> None:
    dataset = ParallelDataset(data)
    longest = int(dataset.source_lengths.max())
    tokens, lengths = dataset.gather("source", np.arange(len(dataset)))
    tokenizer = Tokenizer.load(data)
    free = BpeDropout(tokenizer, 0.5).draw(tokens, lengths, (1,))
    held = BpeDropout(tokenizer, 0.5, longest).draw(tokens, lengths, (1,))
    assert free[1].max() > longest
    expected = [
        new if len(new) <= longest else old
        for new, old in zip(nested(*free), nested(tokens, lengths), strict=True)
    ]
    assert nested(*held) == expected


def _sentences(packed: Packed) -> list[list[int]]:
    return [sentence.tolist() for sentence in packed.unpack()]


def _same(one, other) -> bool:
    return _sentences(one.src) == _sentences(other.src) and _sentences(one.tgt) == _sentences(
        other.tgt
    )
