"""A run prints and writes what it finds, and goes on where a peer fails."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from bench import main
from bench.case import COMPILED, OURS, TORCH, Case
from bench.main import run
from bench.settings import Settings
from pytransformer.errors import UserError
from tests.bench.samples import report
from tests.cases.backend import native_only


def case(name: str, compiled: Callable[[], Callable[[], object]]) -> Case:
    """Nothing, which all sides do alike."""
    return Case(
        name=name,
        dtype=torch.float32,
        mode="forward",
        sides={OURS: lambda: None, TORCH: lambda: None},
        check=lambda: None,
        compiled=compiled,
        bytes=1.0,
    )


@native_only
def test_a_report_has_every_case(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = tmp_path / "report.json", tmp_path / "report.md"
    found = run(["embedding"], Settings(0.0, compile=False), *paths)
    values = json.loads(paths[0].read_text())
    assert len(values["rows"]) == len(found.rows) >= 2
    for row in values["rows"]:
        assert row["ratios"].keys() == {TORCH}
        assert row["timings"].keys() == {OURS, TORCH}
        assert row["rate"] > 0
        assert row["fraction_of_peak"] > 0
    assert values["machine"]["threads"] >= 1
    assert "## embedding" in paths[1].read_text(encoding="utf-8")
    assert "how many times as long a peer takes" in capsys.readouterr().out


@native_only
def test_a_peer_that_cannot_do_a_case_is_left_out() -> None:
    def refuse() -> None:
        raise RuntimeError("No available kernel.\nAborting execution.")

    found, one = report(), case("a", lambda: lambda: None)
    one.sides["flash"] = refuse
    main._run_cases("embedding", [one], Settings(0.0, compile=False), found)
    assert "flash" not in found.rows[0].timings
    assert found.notes == [("embedding", "flash cannot do a float32: No available kernel.")]
    one.sides[OURS] = refuse
    with pytest.raises(RuntimeError, match="No available kernel"):
        main._run_cases("embedding", [one], Settings(0.0, compile=False), found)


@native_only
def test_a_failure_of_compilation_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> Callable[[], object]:
        raise RuntimeError("no compiler\n\nhere\nat all")

    cases = [case("a", fail), case("b", fail), case("c", lambda: lambda: None)]
    found = report()
    main._run_cases("embedding", cases, Settings(0.0), found)
    line = "torch.compile is left out where it fails: RuntimeError: no compiler here"
    assert found.notes == [("embedding", line)]
    assert capsys.readouterr().out.count("no compiler") == 1
    assert [COMPILED in row.timings for row in found.rows] == [False, False, True]


@native_only
def test_without_compilation_nothing_is_compiled() -> None:
    def fail() -> Callable[[], object]:
        raise AssertionError("compiled")

    found = report()
    main._run_cases("embedding", [case("a", fail)], Settings(0.0, compile=False), found)
    assert found.rows[0].timings.keys() == {OURS, TORCH}
    assert not found.notes


def test_the_reference_is_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pytransformer.ops.BACKEND", "reference")
    with pytest.raises(UserError, match="compiled ops; PYTRANSFORMER_BACKEND=reference"):
        run(["embedding"], Settings())
