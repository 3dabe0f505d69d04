"""``pytransformer evaluate``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pytransformer.cli.main import main
from pytransformer.decoding import Translator
from pytransformer.decoding.evaluation import corpus_scores
from pytransformer.directory import save_model
from tests.cases import translators

TEXTS = [*translators.LINES[:6], "", "the old cat"]


@pytest.fixture(name="model", scope="module")
def _model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("models") / "model"
    save_model(directory, translators.model(7), translators.tokenizer())
    return directory


def evaluate(model: Path, folder: Path, sources: list[str], references: list[str]) -> list[str]:
    """Write both files; the arguments that evaluate them."""
    (folder / "test.en").write_text("".join(f"{text}\n" for text in sources), encoding="utf-8")
    (folder / "test.de").write_text("".join(f"{text}\n" for text in references), encoding="utf-8")
    files = ["--source", str(folder / "test.en"), "--reference", str(folder / "test.de")]
    return ["evaluate", str(model), *files]


def test_a_perfect_reference_scores_100(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    translations = Translator.load(model).translate(TEXTS)
    run = evaluate(model, tmp_path, TEXTS, translations)
    options = ["--tokenize", "char", "--output", str(tmp_path / "out")]
    assert main([*run, *options]) == 0
    bleu, chrf, speed = capsys.readouterr().out.splitlines()
    assert bleu.split()[:2] == ["BLEU", "100.00"]
    assert "tok:char" in bleu
    assert chrf.split()[:2] == ["chrF2", "100.00"]
    assert "version:" in chrf
    assert speed.startswith("8 sentences in ")
    assert "sentences/s" in speed
    assert (tmp_path / "out").read_text(encoding="utf-8").splitlines() == translations


def test_json(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    references = [f"a house {text}" for text in TEXTS]
    options = ["--beam-size", "1", "--lowercase", "--json"]
    assert main([*evaluate(model, tmp_path, TEXTS, references), *options]) == 0
    found = json.loads(capsys.readouterr().out)
    translations = Translator.load(model).translate(TEXTS, beam_size=1)
    scores = corpus_scores(translations, references, lowercase=True)
    assert found["bleu"] == scores.bleu
    assert found["chrf"] == scores.chrf
    assert found["bleu_signature"] == scores.bleu_signature
    assert found["chrf_signature"] == scores.chrf_signature
    assert found["sentences"] == 8
    assert found["sentences_per_second"] == pytest.approx(8 / found["seconds"])


def test_mistakes_are_named(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(evaluate(model, tmp_path, TEXTS, TEXTS[:5])) == 1
    error = capsys.readouterr().err
    assert "has 8 lines" in error
    assert "has 5" in error
    assert main(evaluate(model, tmp_path, [], [])) == 1
    assert "no lines" in capsys.readouterr().err
    run = evaluate(model, tmp_path, TEXTS, TEXTS)
    for name in ("test.en", "test.de"):
        assert main([*run, "--output", str(tmp_path / name)]) == 1
        assert f"{name} that is read; name another" in capsys.readouterr().err
        assert (tmp_path / name).read_text(encoding="utf-8").splitlines() == TEXTS
    assert main(evaluate(tmp_path / "absent", tmp_path, TEXTS, TEXTS)) == 1
    assert "absent" in capsys.readouterr().err
