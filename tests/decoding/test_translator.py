"""The translator: order, batches, blank lines, streams, and life inside a trainer."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

import pytransformer as pt
from pytransformer import ops
from pytransformer.decoding import SearchOptions, Translation, Translator
from pytransformer.decoding import translator as module
from pytransformer.directory import save_model
from pytransformer.errors import UserError
from tests.cases import translators

TEXTS = [*translators.LINES[:9], "", "cat", "  \t ", *translators.LINES[30:32]]


@pytest.fixture(name="translator")
def _translator() -> Translator:
    return Translator(translators.model(7), translators.tokenizer())


def test_batch_size_and_order_do_not_change_a_translation(translator: Translator) -> None:
    options = SearchOptions(num_hypotheses=2, max_length=12)
    alone = [translator.translate_batch([text], options)[0] for text in TEXTS]
    for batch_size in (1, 3, 64):
        together = translator.translate_batch(TEXTS, options, batch_size)
        for found, expected in zip(together, alone, strict=True):
            assert [t.tokens for t in found] == [t.tokens for t in expected]
            assert [t.text for t in found] == [t.text for t in expected]
            scores = [t.score for t in expected]
            if ops.BACKEND == "reference":  # its matrix products round with the batch's shape
                scores = pytest.approx(scores, abs=1e-5)
            assert [t.score for t in found] == scores


def test_a_blank_line_has_an_empty_translation(
    translator: Translator, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert translator.translate(TEXTS)[9:12:2] == ["", ""]
    monkeypatch.setattr(translator.model, "encode", None)
    blank = ["", " ", "\t\u3000", "\u200b"]
    assert translator.translate_batch(blank) == [[Translation("", 0.0, [])]] * 4
    assert translator.translate([]) == []


def test_text_score_and_tokens_belong_together(translator: Translator) -> None:
    [[best, second]] = translator.translate_batch(["the red cat"], SearchOptions(num_hypotheses=2))
    assert best.score >= second.score
    assert best.tokens != second.tokens
    assert best.text == translator.tokenizer.decode([best.tokens])[0]
    assert translator.translate(["the red cat"]) == [best.text]


def test_a_stream_keeps_the_order_and_reads_no_further_than_it_may(
    translator: Translator,
) -> None:
    read = []

    def lines() -> Iterator[str]:
        for text in TEXTS:
            read.append(text)
            yield text

    expected = translator.translate(TEXTS, beam_size=1)
    options = SearchOptions(beam_size=1)
    for look_ahead in (1, 4, 1000):
        read.clear()
        stream = translator.translate_stream(lines(), options, look_ahead=look_ahead)
        for count, found in enumerate(stream):
            assert found[0].text == expected[count]
            assert len(read) <= (count // look_ahead + 1) * look_ahead
        assert count == len(TEXTS) - 1


def test_what_comes_before_an_error_is_translated(translator: Translator) -> None:
    def lines() -> Iterator[str]:
        yield from TEXTS[:5]
        raise UserError("broken")

    for look_ahead in (1, 2, 100):
        stream = translator.translate_stream(lines(), look_ahead=look_ahead)
        assert [next(stream)[0].text for _ in range(5)] == translator.translate(TEXTS[:5])
        with pytest.raises(UserError, match="broken"):
            next(stream)


def test_a_sentence_beyond_the_learned_positions_is_named() -> None:
    model = translators.model(positions="learned", max_length=8)
    translator = Translator(model, translators.tokenizer())
    long = "cat " * 20
    length = len(translator.tokenizer.encode([long])[0]) + 1
    message = rf"line 3 has {length} tokens .* end at 8"
    with pytest.raises(UserError, match=message):
        translator.translate(["a", "", long, "a"])
    stream = translator.translate_stream(["a", "", long, "a"], look_ahead=2)
    assert [next(stream)[0].text for _ in range(2)] == translator.translate(["a", ""])
    with pytest.raises(UserError, match=message):
        next(stream)


def test_a_model_in_training_goes_on_as_if_nothing_had_happened(translator: Translator) -> None:
    model = translator.model
    source = pt.pack([torch.tensor([2, 3, 0])])
    target = pt.pack([torch.tensor([model.config.pad_id, 4, 5, 0])])
    expected = translator.translate(TEXTS[:3])

    def loss() -> torch.Tensor:
        model.zero_grad()
        torch.manual_seed(3)
        result = model.loss(source, target)
        result.backward()
        return result.detach()

    model.train()
    before = loss()
    gradient = model.embedding.grad.clone()
    assert translator.translate(TEXTS[:3]) == expected  # without dropout
    assert model.training
    assert loss() == before
    assert torch.equal(model.embedding.grad, gradient)


def test_the_mode_returns_after_an_error(translator: Translator) -> None:
    translator.model.train()
    with pytest.raises(ValueError, match="batch_size = 0"):
        translator.translate(["cat"], batch_size=0)
    assert translator.model.training


def test_long_sentences_make_small_batches() -> None:
    batches = list(module._batches([5, 0, 9000, 7, 2000, 2000, 2000, 2000, 2000], 4))
    assert batches == [[2], [4, 5, 6, 7], [8, 3, 0]]
    assert module._BATCH_POSITIONS // (2 * 2000 + 50) == 4


@pytest.mark.parametrize("compute_type", ["float32", "bfloat16"])
def test_load(tmp_path: Path, translator: Translator, compute_type: str) -> None:
    save_model(tmp_path / "model", translator.model, translator.tokenizer)
    loaded = Translator.load(tmp_path / "model", compute_type)
    assert loaded.model.embedding.dtype == getattr(torch, compute_type)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        texts = loaded.translate(TEXTS, beam_size=2)
    assert len(texts) == len(TEXTS)
    if compute_type == "float32":
        assert texts == translator.translate(TEXTS, beam_size=2)


def test_mistakes_are_named(tmp_path: Path, translator: Translator) -> None:
    with pytest.raises(UserError, match="nowhere"):
        Translator.load(tmp_path / "nowhere")
    with pytest.raises(ValueError, match=r"compute_type = 'int8': must be float32 or bfloat16"):
        Translator.load(tmp_path, "int8")
    size = translators.tokenizer().vocab_size
    with pytest.raises(ValueError, match=f"vocabulary of {size + 3} ids.* one of {size}"):
        Translator(translators.model(vocab_size=size + 3), translators.tokenizer())
    with pytest.raises(TypeError, match="one string, 'a cat'; give a list"):
        translator.translate("a cat")
    with pytest.raises(TypeError, match="one string, b'a cat'"):
        translator.translate(b"a cat")
    with pytest.raises(TypeError, match="text 2 is NoneType; give a str"):
        translator.translate(["a", None])
    with pytest.raises(UserError, match=r"line 2 is not valid Unicode \(character 3 is '.udcff'\)"):
        translator.translate(["a", "ab\udcff"])
    with pytest.raises(TypeError, match="one string"):
        next(translator.translate_stream("a cat"))
    with pytest.raises(ValueError, match="look_ahead = 0"):
        next(translator.translate_stream([], look_ahead=0))
