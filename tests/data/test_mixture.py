"""Several corpora are one, each as often as its weight says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pytransformer.data import ParallelDataset, TokenBatches, Tokenizer, prepare
from pytransformer.data.mixture import Mixture
from pytransformer.errors import UserError
from tests.cases.micro_run import write_text


@pytest.fixture(scope="module")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> list[ParallelDataset]:
    """Of 200, 60 and 10 pairs, less what is held out, in the first one's vocabulary."""
    directory = tmp_path_factory.mktemp("corpora")
    for number, pairs in enumerate((200, 60, 10)):
        (directory / str(number)).mkdir()
        text = write_text(directory / str(number), pairs)
        options = {"vocab_size": 60} if number == 0 else {"tokenizer": directory / "data0"}
        prepare(*text, directory / f"data{number}", **options)
    return [ParallelDataset(directory / f"data{number}") for number in range(3)]


def test_sentences_are_those_of_the_corpora(corpora: list[ParallelDataset]) -> None:
    mixture = Mixture(corpora)
    assert len(mixture) == sum(map(len, corpora))
    assert mixture.vocab_size == corpora[0].vocab_size
    first, second, third = (len(corpus) for corpus in corpora)
    indices = np.array([first + second, 0, first, first + second + third - 1, first - 1, first])
    places = [(2, 0), (0, 0), (1, 0), (2, third - 1), (0, first - 1), (1, 0)]
    for side in ("source", "target"):
        tokens, lengths = mixture.gather(side, indices)
        expected = [getattr(corpora[corpus], side)(pair) for corpus, pair in places]
        assert lengths.tolist() == [len(sentence) for sentence in expected]
        assert tokens.tolist() == np.concatenate(expected).tolist()
        assert getattr(mixture, f"{side}_lengths")[indices].tolist() == lengths.tolist()


def test_weights_are_how_often_a_pair_comes(corpora: list[ParallelDataset]) -> None:
    mixture = Mixture(corpora, [0.5, 1, 2.25])
    batches = TokenBatches(mixture, 200, seed=3)
    first, second, third = (len(corpus) for corpus in corpora)
    counts = np.zeros((4, len(mixture)), np.int64)
    for epoch in range(4):
        plan = batches.plan(epoch)
        taken = [plan.pairs(position) for position in range(len(plan))]
        counts[epoch] = np.bincount(np.concatenate(taken), minlength=len(mixture))
    half, once, often = np.split(counts, [first, first + second], axis=1)
    assert (half.sum(axis=1) == round(first / 2)).all()
    assert half.max() == 1
    assert len({row.tobytes() for row in half}) == 4  # another half in every pass
    assert (once == 1).all()
    assert (often.sum(axis=1) == 2 * third + round(third / 4)).all()
    assert often.min() == 2
    again = TokenBatches(Mixture(corpora, [0.5, 1, 2.25]), 200, seed=3)
    assert again.plan(2).order.tolist() == batches.plan(2).order.tolist()


def test_one_corpus_alone_keeps_its_order(corpora: list[ParallelDataset]) -> None:
    plan = TokenBatches(corpora[0], 200, seed=3).plan(1)
    mixed = TokenBatches(Mixture(corpora[:1]), 200, seed=3).plan(1)
    assert mixed.order.tolist() == plan.order.tolist()
    assert mixed.sequence.tolist() == plan.sequence.tolist()


def test_another_vocabulary_is_refused(corpora: list[ParallelDataset], tmp_path: Path) -> None:
    prepare(*write_text(tmp_path, 100), tmp_path / "data", vocab_size=50)
    other = ParallelDataset(tmp_path / "data")
    with pytest.raises(UserError, match=r"another vocabulary than .*; prepare it with --tokenizer"):
        Mixture([corpora[0], other])
    assert Tokenizer.load(tmp_path / "data").vocab_size != corpora[0].vocab_size


@pytest.mark.parametrize("weights", [[1.0], [1.0, 2.0, 0.0], [1.0, 2.0, -1.0], [1.0] * 4])
def test_weights_that_do_not_fit_are_refused(corpora, weights: list[float]) -> None:
    with pytest.raises(ValueError, match="must be 3 numbers more than 0"):
        Mixture(corpora, weights)
