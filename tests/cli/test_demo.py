"""``pytransformer demo``: cut short, with a micro model, it does every one of its steps."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest

from pytransformer import recipes
from pytransformer.cli import demo
from pytransformer.cli.main import main
from pytransformer.training import from_tables
from tests.cases.micro_run import read_log


@pytest.fixture(autouse=True)
def micro_model(monkeypatch: pytest.MonkeyPatch) -> None:
    def micro(name: str) -> dict[str, Any]:
        tables = read(name)
        tables["model"].update(d_model=16, ff=16, heads=2, encoder_layers=1, decoder_layers=1)
        return tables

    read = recipes.read
    monkeypatch.setattr(recipes, "read", micro)


@pytest.mark.parametrize("target", ["de", "ko"])
def test_does_every_step(
    target: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["demo", "--quick", "--target", target]) == 0
    output = tmp_path / f"demo-{target}"
    assert len(read_log(output / "run")) == 20
    assert (output / "attention.png").read_bytes().startswith(b"\x89PNG")
    text = capsys.readouterr().out
    assert re.search(r"^BLEU +\d+\.\d\d +nrefs:1\|", text, re.MULTILINE)
    assert text.count("  source ") == text.count("  translation ") == 10
    reference = (output / "text" / f"test.{target}").read_text(encoding="utf-8").splitlines()[0]
    assert f"  reference    {reference}\n" in text
    # The commands that it recommends work.
    (evaluate,) = re.findall(r"^  pytransformer (evaluate .*)$", text, re.MULTILINE)
    assert main(evaluate.split()) == 0


def test_replaces_its_own_output_only(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "_QUICK", dataclasses.replace(demo._QUICK, steps=1))
    output = tmp_path / "out"
    arguments = ["demo", "--quick", "--output", str(output)]
    assert main(arguments) == 0
    (output / "mine.txt").write_text("keep")
    assert main(arguments) == 0
    assert (output / "mine.txt").read_text() == "keep"
    assert len(read_log(output / "run")) == 1
    (output / "demo.txt").unlink()
    capsys.readouterr()
    assert main(arguments) == 1
    assert "was not written by the demo; name another directory" in capsys.readouterr().err
    assert main(["demo", "--output", str(output / "mine.txt")]) == 1
    assert "is a file" in capsys.readouterr().err
    assert main(["demo", "--output", str(output / "mine.txt" / "x")]) == 1
    assert "mine.txt/x: Not a directory" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (["--minutes", "0"], "--minutes and --steps must be more than 0"),
        (["--minutes", "nan"], "--minutes and --steps must be more than 0"),
        (["--minutes", "inf"], "--minutes no infinity"),
        (["--steps", "0"], "--minutes and --steps must be more than 0"),
        (["--seed", "-1"], "--seed -1: must be at least 0"),
        (["--seed", str(2**64)], f"at most {2**64 - 1}"),
    ],
)
def test_refuses_wrong_numbers(
    wrong: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["demo", "--output", str(tmp_path / "out"), *wrong]) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_recipe_is_a_configuration() -> None:
    tables = recipes.read("demo")
    tables["data"] = {"directory": "x"}
    tables["training"].update(output="y", max_minutes=1)
    from_tables(tables)
