"""Training configurations that come with the package, by name.

A recipe is ``NAME.toml``: the tables of a configuration without the directories, and a table
``[recipe]`` that says what it is for, by which commands it is used, and what score it reaches by
whose measurement.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib import resources
from typing import Any

_SUFFIX = ".toml"


@dataclass(frozen=True)
class About:
    """What a recipe is for, and how it is used.

    Attributes:
        summary: one line.
        text: where the text comes from.
        commands: from the text to the score of the final model.
        score: what is reached on which test set, and who measured it.
    """

    summary: str
    text: str
    commands: tuple[str, ...]
    score: str


def names() -> list[str]:
    """All recipes, in alphabetical order."""
    files = (entry.name for entry in resources.files(__name__).iterdir())
    return sorted(name.removesuffix(_SUFFIX) for name in files if name.endswith(_SUFFIX))


def read(name: str) -> dict[str, Any]:
    """The tables of a recipe's configuration, without the directories that the caller adds."""
    tables = _read(name)
    del tables["recipe"]
    return tables


def about(name: str) -> About:
    """What a recipe is for, and how it is used."""
    told = _read(name)["recipe"]
    return About(**{**told, "commands": tuple(told["commands"])})


def _read(name: str) -> dict[str, Any]:
    file = resources.files(__name__) / f"{name}{_SUFFIX}"
    return tomllib.loads(file.read_text(encoding="utf-8"))
