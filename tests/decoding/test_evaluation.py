"""Corpus scores against sacreBLEU itself."""

from __future__ import annotations

import pytest
import sacrebleu

from pytransformer.decoding.evaluation import corpus_scores
from pytransformer.errors import UserError

TRANSLATIONS = ["Der Hund sieht die alte Katze.", "Ein Haus ist rot und sehr alt."]
REFERENCES = ["Der Hund sieht die Katze.", "Das Haus ist rot und sehr alt."]


def test_scores_and_signatures_are_those_of_sacrebleu() -> None:
    scores = corpus_scores(TRANSLATIONS, REFERENCES)
    assert scores.bleu == pytest.approx(
        sacrebleu.corpus_bleu(TRANSLATIONS, [REFERENCES]).score, abs=1e-12
    )
    assert scores.chrf == pytest.approx(
        sacrebleu.corpus_chrf(TRANSLATIONS, [REFERENCES]).score, abs=1e-12
    )
    assert 0 < scores.bleu < 100
    assert "tok:13a" in scores.bleu_signature
    assert "case:mixed" in scores.bleu_signature
    assert f"version:{sacrebleu.__version__}" in scores.chrf_signature


def test_tokenizer_and_case_are_taken_and_told() -> None:
    upper = [text.upper() for text in TRANSLATIONS]
    scores = corpus_scores(upper, TRANSLATIONS, tokenize="char", lowercase=True)
    assert scores.bleu == pytest.approx(100.0)
    assert scores.chrf == pytest.approx(100.0)
    assert "case:lc" in scores.bleu_signature
    assert "tok:char" in scores.bleu_signature
    assert corpus_scores(upper, TRANSLATIONS).bleu < 5


def test_mistakes_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="2 translations and 1 references"):
        corpus_scores(TRANSLATIONS, REFERENCES[:1])
    with pytest.raises(ValueError, match="0 translations"):
        corpus_scores([], [])
    with pytest.raises(ValueError, match="tokenize = '14a'"):
        corpus_scores(TRANSLATIONS, REFERENCES, tokenize="14a")

    def missing(**_: object) -> None:
        raise RuntimeError("Korean tokenization requires extra dependencies")

    monkeypatch.setattr(sacrebleu, "BLEU", missing)
    with pytest.raises(UserError, match=r"'ko-mecab' needs .* pip install 'sacrebleu\[ko\]'"):
        corpus_scores(TRANSLATIONS, REFERENCES, tokenize="ko-mecab")
