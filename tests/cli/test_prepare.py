"""The command hands its options on, prints the report, and refuses wrong ones."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from pytransformer.cli import prepare as command
from pytransformer.data import ParallelDataset, Tokenizer
from pytransformer.errors import UserError


@pytest.fixture
def text(tmp_path: Path) -> list[str]:
    (tmp_path / "a").write_text("One two\nthree\n" * 50)
    (tmp_path / "b").write_text("Eins zwei\ndrei\n" * 50)
    return ["--source", str(tmp_path / "a"), "--target", str(tmp_path / "b")]


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return parser.parse_args(arguments)


def test_the_report_is_printed_and_nothing_else(text, tmp_path: Path, capfd) -> None:
    output = tmp_path / "data"
    arguments = [*text, "--output", str(output), "--vocab-size", "20", "--valid-lines", "2"]
    assert command.run(parse([*arguments, "--source-language", "en"])) == 0
    printed = capfd.readouterr()
    assert printed.err == ""
    assert "the last 2 pairs, held out" in printed.out
    assert f"written to {output}" in printed.out
    data = ParallelDataset(output)
    assert (len(data), data.vocab_size, data.info["source_language"]) == (98, 21, "en")

    with pytest.raises(UserError, match="give --overwrite"):
        command.run(parse(arguments))
    assert command.run(parse([*arguments, "--overwrite", "--lowercase"])) == 0
    assert Tokenizer.load(output).folds_case


def test_a_tokenizer_takes_the_place_of_a_size(text, tmp_path: Path) -> None:
    first, second = str(tmp_path / "first"), str(tmp_path / "second")
    command.run(parse([*text, "--output", first, "--vocab-size", "20"]))
    command.run(parse([*text, "--output", second, "--tokenizer", first]))
    assert ParallelDataset(second).vocab_size == 21


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--vocab-size", "2"], "'2' is no whole number from 3 to 1073741824"),
        (["--vocab-size", "2147483648"], "is no whole number from 3 to 1073741824"),
        (["--max-length", "many"], "'many' is no whole number of at least 2"),
        (["--valid-lines", "0"], "'0' is no whole number of at least 1"),
        (["--model-type", "word"], "invalid choice: 'word'"),
        (["--vocab-size", "20", "--tokenizer", "x"], "not allowed with argument --vocab-size"),
    ],
)
def test_wrong_usage_is_named(text, arguments, message: str, capsys) -> None:
    with pytest.raises(SystemExit) as error:
        parse([*text, "--output", "x", *arguments])
    assert error.value.code == 2
    assert message in capsys.readouterr().err
