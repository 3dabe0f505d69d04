"""tcmalloc is found where it is installed, and its peers are named after it."""

from __future__ import annotations

import ctypes.util
from dataclasses import asdict
from pathlib import Path

import pytest

from bench import tcmalloc
from bench.case import OURS
from bench.child import Unavailable
from bench.settings import Settings
from bench.tcmalloc import library, rows_with_tcmalloc
from tests.bench.samples import row


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only one where libraries lie."""
    monkeypatch.setattr(ctypes.util, "find_library", lambda name: None)
    monkeypatch.setattr(tcmalloc, "_DIRECTORIES", (str(tmp_path),))
    monkeypatch.setattr(tcmalloc, "allocator", lambda: "malloc")
    return tmp_path


def test_what_the_loader_knows_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {"tcmalloc": "libtcmalloc.so.4"}
    monkeypatch.setattr(ctypes.util, "find_library", known.get)
    assert library() == "libtcmalloc.so.4"


def test_a_library_in_a_directory_of_an_architecture_is_found(directory: Path) -> None:
    (directory / "x86_64-linux-gnu").mkdir()
    path = directory / "x86_64-linux-gnu" / "libtcmalloc_minimal.so.4"
    path.touch()
    (directory / "libtcmalloc.so").touch()
    assert library() == str(path)


@pytest.mark.usefixtures("directory")
def test_without_it_one_line_says_so() -> None:
    assert library() is None
    with pytest.raises(Unavailable, match=r"^tcmalloc: not installed") as error:
        [*rows_with_tcmalloc("train_step", "even_cases", Settings())]
    assert "\n" not in str(error.value)


def test_where_this_process_has_it_nothing_is_done_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tcmalloc, "allocator", lambda: "tcmalloc")
    with pytest.raises(Unavailable, match="has it already"):
        [*rows_with_tcmalloc("train_step", "even_cases", Settings())]


def test_peers_bear_its_name(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (directory / "libtcmalloc.so").touch()
    asked = []

    def run_child(*arguments: str, preload: str) -> list[dict[str, object]]:
        asked.append((*arguments, preload))
        return [asdict(row(allocator="tcmalloc", torch=1.0))]

    monkeypatch.setattr(tcmalloc, "run_child", run_child)
    (found,) = rows_with_tcmalloc("train_step", "even_cases", Settings(seconds=0.5))
    assert found.timings.keys() == {OURS, "torch+tcmalloc"}
    preload = str(directory / "libtcmalloc.so")
    assert asked == [("bench.tcmalloc", "train_step", "even_cases", "0.5", preload)]
