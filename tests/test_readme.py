"""What the documentation says is so: its Python runs, its commands and options exist."""

from __future__ import annotations

import argparse
import dataclasses
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytransformer import TransformerConfig
from pytransformer.cli.main import COMMANDS, build_parser
from pytransformer.directory import save_model
from pytransformer.training.config import TABLES, ModelOptions, from_tables
from tests.cases import translators

ROOT = Path(__file__).parents[1]
READMES = ("README.md", "README.ko.md")
PAGES = (*READMES, "CONTRIBUTING.md", *(f"docs/{path.name}" for path in ROOT.glob("docs/*.md")))


def blocks(page: str, language: str) -> list[str]:
    """The code blocks of a page in one language."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def commands(page: str) -> Iterator[list[str]]:
    """The words of each command in the shell blocks of a page, without redirections and what is set
    in its environment."""
    for block in blocks(page, "sh"):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(re.sub(r" [<>] \S+", "", line), comments=True)
            while words and re.match(r"[A-Z_]+=", words[0]):
                del words[0]
            if words:
                yield words


def makefile_targets() -> set[str]:
    return set(re.findall(r"^([a-z0-9-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))


@pytest.mark.parametrize("index", range(len(blocks("README.md", "python"))))
def test_python_runs(index, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save_model("run/model", translators.model(), translators.tokenizer())
    exec(compile(blocks("README.md", "python")[index], "README.md", "exec"), {})


def test_the_arithmetic_of_training_at_scale_is_so(capsys):
    page = "docs/training-at-scale.md"
    programs = blocks(page, "python")
    assert len(programs) == 2
    for program, said in zip(programs, blocks(page, "text"), strict=True):
        exec(compile(program, page, "exec"), {})
        assert capsys.readouterr().out == said


def test_the_configuration_is_accepted():
    (block,) = blocks("README.md", "toml")
    assert from_tables(tomllib.loads(block)).training.output == "run"


@pytest.mark.parametrize("page", PAGES)
def test_commands_exist(page):
    for words in commands(page):
        if words[0] == "torchrun":  # what it starts: -m pytransformer ...
            words = words[words.index("-m") + 1 :]
        if words[0] == "pytransformer":
            build_parser(words[1:]).parse_args(words[1:])
        elif words[0] == "make":
            named = [word for word in words[1:] if "=" not in word]
            assert set(named) <= makefile_targets(), words
        else:
            assert words[:2] == ["pip", "install"], words


@pytest.mark.parametrize("page", PAGES)
def test_named_options_exist(page):
    """``pytransformer COMMAND --option`` in running text, and make's targets."""
    text = (ROOT / page).read_text(encoding="utf-8")
    for code in re.findall(r"`([^`\n]+)`", text):
        words = code.split()
        if words[0] == "pytransformer" and len(words) > 1:
            assert words[1] in COMMANDS, code
            options = known_options(words[1])
            assert {word for word in words if word.startswith("--")} <= options, code
        if words[0] == "make" and len(words) > 1:
            assert {word for word in words[1:] if "=" not in word} & makefile_targets(), code


def known_options(command: str) -> set[str]:
    (subparsers,) = (
        action
        for action in build_parser([command])._actions
        if isinstance(action, argparse._SubParsersAction)
    )
    return set(subparsers.choices[command]._option_string_actions)


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)]+)\)", text):
        assert target.startswith("https://") or ((ROOT / page).parent / target).exists(), target


@pytest.mark.parametrize("page", READMES)
def test_the_two_commands_come_first(page):
    assert blocks(page, "sh")[0] == "make demo\nmake test\n"


def test_both_languages_have_the_same_structure():
    english, korean = ((ROOT / page).read_text(encoding="utf-8") for page in READMES)
    for pattern in (r"^```.*?^```$", r"^\| `[^|]*\|", r"^- \*\*"):
        found = [re.findall(pattern, text, re.DOTALL | re.MULTILINE) for text in (english, korean)]
        assert found[0] == found[1], pattern
    headings = [re.findall(r"^#+ ", text, re.MULTILINE) for text in (english, korean)]
    assert headings[0] == headings[1]


def test_every_key_of_the_configuration_is_explained():
    page = (ROOT / "docs/configuration.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"^## `\[(\w+)\]`$(.*?)(?=^## |\Z)", page, re.DOTALL | re.MULTILINE))
    assert list(sections) == list(TABLES)
    for name, options in TABLES.items():
        documented = re.findall(r"^\| `(\w+)` \| (?!\d)", sections[name], re.MULTILINE)
        holder = TransformerConfig if options is ModelOptions else options
        keys = [field.name for field in dataclasses.fields(holder)]
        assert documented == [key for key in keys if key != "vocab_size"]


@pytest.mark.parametrize("table", [name for name in TABLES if name != "model"])
def test_defaults_and_meanings_are_those_of_the_code(table):
    page = (ROOT / "docs/configuration.md").read_text(encoding="utf-8")
    for field in dataclasses.fields(TABLES[table]):
        text = field.metadata["text"]
        if field.metadata["required"]:
            assert f"| `{field.name}` |  | {text} |" in page
            continue
        (found,) = re.findall(
            rf"^\| `{field.name}` \| `(.*)` \| {re.escape(text)} \|$", page, re.MULTILINE
        )
        default = tomllib.loads(f"value = {found}")["value"]
        assert (tuple(default) if isinstance(default, list) else default) == field.default


def test_the_presets_are_those_of_the_code():
    page = (ROOT / "docs/configuration.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (\d.*) \|$", page, re.MULTILINE)
    assert [name for name, _ in rows] == ["tiny", "small", "base", "big"]
    for name, row in rows:
        config = TransformerConfig.preset(name, vocab_size=2)
        columns = ("d_model", "ff", "heads", "encoder_layers", "decoder_layers", "dropout")
        assert row.split(" | ") == [str(getattr(config, column)) for column in columns]
