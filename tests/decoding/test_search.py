"""Search against a step-by-step argmax, against exhaustive search, and its independence."""

from __future__ import annotations

import itertools
import math
from typing import cast

import pytest
import torch

import pytransformer as pt
from pytransformer import ops
from pytransformer.decoding.search import (
    EOS_ID,
    EXTRA_LENGTH,
    Hypothesis,
    SearchOptions,
    penalty,
    search,
)
from pytransformer.errors import UserError
from pytransformer.packed import Packed
from tests.cases import translators
from tests.cases.layout import generator, integers, normal

# The kernels treat every row alike; plain matrix products may round with the shape of the batch.
EXACT = ops.BACKEND == "native"


def sources(count: int, vocab_size: int, seed: int = 1) -> list[torch.Tensor]:
    """Sentences of 2 to 9 tokens that end in ``</s>``."""
    rng = generator(seed)
    lengths = integers(1, 9, (count,), rng).tolist()
    end = torch.tensor([EOS_ID])
    return [torch.cat([integers(2, vocab_size - 1, (length,), rng), end]) for length in lengths]


@torch.no_grad()
def found(
    model: pt.Transformer, sentences: list[torch.Tensor], **options: float
) -> list[list[Hypothesis]]:
    return search(model, pt.pack(sentences), SearchOptions(**options))


@torch.no_grad()
def log_probs(model: pt.Transformer, source: torch.Tensor, prefix: list[int]) -> torch.Tensor:
    """[tokens + 1, columns]: what the whole decoder gives after BOS and after each token."""
    tgt = torch.tensor([model.config.pad_id, *prefix])
    hidden = model.decode(pt.pack([tgt]), model.encode(pt.pack([source]))).values
    return model.logits(hidden).double().log_softmax(-1)


def assert_same(left: list[Hypothesis], right: list[Hypothesis]) -> None:
    assert [answer.tokens for answer in left] == [answer.tokens for answer in right]
    tolerance = 0.0 if EXACT else 1e-5
    for one, other in zip(left, right, strict=True):
        assert one.score == pytest.approx(other.score, abs=tolerance, rel=tolerance)
        assert one.finished == other.finished


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("norm_first", [False, True])
def test_greedy_is_the_argmax_at_every_step(seed: int, norm_first: bool) -> None:
    model = translators.model(seed, norm_first=norm_first)
    for source in sources(5, model.config.vocab_size, seed):
        tokens: list[int] = []
        total = 0.0
        while len(tokens) < len(source) + EXTRA_LENGTH:
            last = log_probs(model, source, tokens)[-1]
            tokens.append(int(last.argmax()))
            total += float(last.max())
            if tokens[-1] == EOS_ID:
                break
        [[answer]] = found(model, [source], beam_size=1)
        assert answer.finished == (tokens[-1] == EOS_ID)
        assert answer.tokens == [token for token in tokens if token != EOS_ID]
        assert answer.log_prob == pytest.approx(total, abs=1e-4)
        assert answer.score == pytest.approx(total / penalty(len(tokens), 0.6), abs=1e-4)


def exhaustive(
    model: pt.Transformer, source: torch.Tensor, max_length: int, length_penalty: float
) -> list[tuple[float, list[int]]]:
    """Every finished hypothesis within ``max_length`` tokens, best first."""
    columns = range(model.config.vocab_size - 1)
    words = [token for token in columns if token != EOS_ID]
    answers = []
    for length in range(max_length):
        for prefix in itertools.product(words, repeat=length):
            rows = log_probs(model, source, list(prefix))
            total = sum(float(rows[i, token]) for i, token in enumerate([*prefix, EOS_ID]))
            answers.append((total / penalty(length + 1, length_penalty), list(prefix)))
    return sorted(answers, reverse=True)


@pytest.mark.parametrize("length_penalty", [-1.0, 0.0, 0.6, 2.0])
@pytest.mark.parametrize("seed", range(3))
def test_a_wide_beam_finds_what_exhaustive_search_finds(seed: int, length_penalty: float) -> None:
    model = translators.model(seed, spread=1.0, vocab_size=5)  # </s> and three words
    source = torch.tensor([2, 3, 1, EOS_ID])
    expected = exhaustive(model, source, 4, length_penalty)
    options = dict(length_penalty=length_penalty, max_length=4)
    # As many places as there are prefixes of four tokens: nothing is ever pruned.
    [answers] = found(model, [source], beam_size=160, num_hypotheses=40, **options)
    assert len(expected) == 1 + 3 + 9 + 27
    assert [answer.tokens for answer in answers] == [tokens for _, tokens in expected]
    for answer, (score, _) in zip(answers, expected, strict=True):
        assert answer.score == pytest.approx(score, abs=1e-5)
    # With one hypothesis wanted, the search stops as soon as nothing can beat it.
    [[best]] = found(model, [source], beam_size=160, **options)
    assert best == answers[0]


class Chain:
    """In place of a model: the next token depends on the position and the last token alone.

    With scores this far apart some hypotheses go on for nothing and others die at once, so that
    stopping one position too early shows.
    """

    columns = 5
    length = 10

    def __init__(self, seed: int) -> None:
        shape = (self.length, self.columns + 1, self.columns)
        self.table = 6 * normal(shape, generator(seed), torch.float32)
        self.config = pt.TransformerConfig(self.columns + 1, 8, 1, 8, 1, 1)
        self.position = -1

    def encode(self, src: Packed) -> Packed:
        return src

    def start_decoding(self, memory: Packed, beam_size: int, max_length: int) -> Chain:
        return self

    def step(self, tokens: torch.Tensor, state: Chain) -> torch.Tensor:
        self.position += 1
        return tokens

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        return self.table[self.position, hidden]

    def keep(self, sentences: torch.Tensor) -> None: ...

    def reorder(self, rows: torch.Tensor) -> None: ...

    def best(self, options: SearchOptions) -> list[tuple[float, list[int]]]:
        """The finished hypotheses, best first, by beam search that never stops early."""
        rows = self.table.double().log_softmax(-1).tolist()
        live: list[tuple[float, list[int]]] = [(0.0, [self.config.pad_id])]
        finished = []
        for position in range(self.length):
            continued = [
                (total + value, [*tokens, token])
                for total, tokens in live
                for token, value in enumerate(rows[position][tokens[-1]])
            ]
            continued.sort(key=lambda pair: -pair[0])
            live = []
            for total, tokens in continued[: options.beam_size - len(finished)]:
                if tokens[-1] == EOS_ID:
                    score = total / penalty(position + 1, options.length_penalty)
                    finished.append((score, tokens[1:-1]))
                else:
                    live.append((total, tokens))
        return sorted(finished, key=lambda pair: -pair[0])


@pytest.mark.parametrize("length_penalty", [-2.0, 0.0, 0.6, 3.0])
@pytest.mark.parametrize(("beam_size", "num_hypotheses"), [(2, 1), (4, 2), (5, 5)])
def test_stopping_early_loses_nothing(
    beam_size: int, num_hypotheses: int, length_penalty: float
) -> None:
    options = SearchOptions(beam_size, length_penalty, num_hypotheses, max_length=Chain.length)
    early = 0
    for seed in range(100):
        chain = Chain(seed)
        [answers] = search(cast(pt.Transformer, chain), pt.pack([torch.tensor([0])]), options)
        expected = chain.best(options)[:num_hypotheses]
        finished = [answer for answer in answers if answer.finished]
        assert [answer.tokens for answer in finished] == [tokens for _, tokens in expected]
        scores = [score for score, _ in expected]
        assert [answer.score for answer in finished] == pytest.approx(scores, abs=1e-4)
        early += chain.position + 1 < Chain.length
    assert early > 10


def test_a_beam_is_at_least_as_probable_as_greedy_where_it_keeps_the_best() -> None:
    model = translators.model(5)
    batch = sources(20, model.config.vocab_size)
    greedy = found(model, batch, beam_size=1, length_penalty=0.0)
    wide = found(model, batch, beam_size=8, length_penalty=0.0)
    better = sum(w[0].log_prob > g[0].log_prob + 1e-6 for w, g in zip(wide, greedy, strict=True))
    worse = sum(w[0].log_prob < g[0].log_prob - 1e-6 for w, g in zip(wide, greedy, strict=True))
    assert better > worse


@pytest.mark.parametrize("beam_size", [1, 4])
def test_a_sentence_has_the_same_result_in_every_batch(beam_size: int) -> None:
    model = translators.model(2, encoder_layers=2, decoder_layers=2)
    batch = sources(64, model.config.vocab_size)
    options = dict(beam_size=beam_size, num_hypotheses=beam_size, max_length=16)
    together = found(model, batch, **options)
    for source, expected in list(zip(batch, together, strict=True))[::4]:
        [alone] = found(model, [source], **options)
        assert_same(alone, expected)


def test_scores_are_the_probabilities_of_the_tokens() -> None:
    model = translators.model(3)
    batch = sources(8, model.config.vocab_size)
    for source, answers in zip(batch, found(model, batch, num_hypotheses=4), strict=True):
        scores = [answer.score for answer in answers if answer.finished]
        assert scores == sorted(scores, reverse=True)
        assert len({tuple(answer.tokens) for answer in answers}) == len(answers) == 4
        for answer in answers:
            tokens = answer.tokens + [EOS_ID] * answer.finished
            rows = log_probs(model, source, answer.tokens)
            total = sum(float(rows[i, token]) for i, token in enumerate(tokens))
            assert answer.log_prob == pytest.approx(total, abs=1e-4)
            assert answer.score == answer.log_prob / penalty(len(tokens), 0.6)


def never_ending(model: pt.Transformer) -> pt.Transformer:
    """The model with a ``</s>`` that never wins: its embedding is far from every row."""
    hidden_bias = model.decoder.layers[-1].feed_forward_norm.bias
    with torch.no_grad():
        hidden_bias.fill_(1.0)
        model.embedding[EOS_ID] = -100.0
    return model


def test_the_greatest_length_cuts_off_what_never_ends() -> None:
    model = never_ending(translators.model())
    batch = sources(6, model.config.vocab_size)
    for source, answers in zip(batch, found(model, batch, num_hypotheses=2), strict=True):
        assert len(answers) == 2
        assert not any(answer.finished for answer in answers)
        assert all(len(answer.tokens) == len(source) + EXTRA_LENGTH for answer in answers)
        assert answers[0].score >= answers[1].score
    for [answer] in found(model, batch, max_length=3):
        assert len(answer.tokens) == 3
        assert answer.score == answer.log_prob / penalty(3, 0.6)


def test_learned_positions_bound_the_length() -> None:
    model = never_ending(translators.model(positions="learned", max_length=12))
    batch = sources(3, model.config.vocab_size)
    assert all(len(answer.tokens) == 12 for [answer] in found(model, batch))
    assert all(len(answer.tokens) == 5 for [answer] in found(model, batch, max_length=5))


def test_finished_sentences_leave_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    model = translators.model(1)
    batch = sources(30, model.config.vocab_size)
    rows: list[int] = []
    step = model.step

    def counting(tokens: torch.Tensor, state: object) -> torch.Tensor:
        rows.append(len(tokens))
        return step(tokens, state)

    monkeypatch.setattr(model, "step", counting)
    answers = found(model, batch, beam_size=1)
    lengths = [len(answer.tokens) + answer.finished for [answer] in answers]
    assert len(set(lengths)) > 1
    expected = [sum(length > done for length in lengths) for done in range(max(lengths))]
    assert rows == expected


def test_pad_is_never_generated() -> None:
    model = translators.model(4)
    batch = sources(16, model.config.vocab_size)
    for answers in found(model, batch, beam_size=4, num_hypotheses=4):
        for answer in answers:
            assert all(0 < token < model.config.pad_id for token in answer.tokens)


def test_equal_scores_go_to_the_earlier_place_and_the_lower_token() -> None:
    model = translators.model()
    with torch.no_grad():
        model.embedding.zero_()  # every token has the same probability everywhere
    uniform = math.log(model.config.vocab_size - 1)
    options = dict(beam_size=3, num_hypotheses=3, length_penalty=0.0, max_length=2)
    [answers] = found(model, [torch.tensor([2, 3, EOS_ID])], **options)
    # First position: </s>, 1, 2. Second, two places left: from 1 the tokens </s> and 1.
    assert [answer.tokens for answer in answers] == [[], [1], [1, 1]]
    assert [answer.finished for answer in answers] == [True, True, False]
    expected = [-uniform, -2 * uniform, -2 * uniform]
    assert [answer.log_prob for answer in answers] == pytest.approx(expected, abs=1e-5)


def test_a_vocabulary_smaller_than_the_beam() -> None:
    model = translators.model(vocab_size=3, spread=1.0)
    [answers] = found(model, [torch.tensor([1, 1, EOS_ID])], beam_size=6, num_hypotheses=6)
    assert len({tuple(answer.tokens) for answer in answers}) == 6


def test_no_sentences() -> None:
    model = translators.model()
    empty = Packed(torch.zeros(0, dtype=torch.int64), torch.zeros(1, dtype=torch.int32), 0)
    assert search(model, empty) == []


def test_scores_that_are_not_numbers_are_reported() -> None:
    model = translators.model()
    with torch.no_grad():
        model.embedding[5] = math.nan
    with pytest.raises(UserError, match="not numbers"):
        found(model, [torch.tensor([5, EOS_ID])])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(beam_size=0), "beam_size = 0"),
        (dict(num_hypotheses=5), "num_hypotheses = 5: .* at most beam_size = 4"),
        (dict(num_hypotheses=0), "num_hypotheses = 0"),
        (dict(length_penalty=math.nan), "length_penalty = nan"),
        (dict(length_penalty=11.0), "length_penalty = 11.0"),
        (dict(max_length=0), "max_length = 0"),
        (dict(beam_size=10**20), "beam_size = 1.*at most 1024"),
        (dict(max_length=10**20), "max_length = 1.*at most 65536"),
    ],
)
def test_options_out_of_range(options: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SearchOptions(**options)


def test_counts_are_whole_numbers() -> None:
    with pytest.raises(TypeError, match=r"beam_size = 2\.5: must be an int, not float"):
        SearchOptions(beam_size=2.5)
