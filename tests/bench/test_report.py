"""What a run found is written for programs and for readers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.case import COMPILED, OURS, TORCH
from bench.row import Row
from bench.settings import Settings
from bench.summary import losses, ordered, summary
from bench.table import Column, Table
from tests.bench.samples import report, row


def test_rates_and_fractions_are_those_of_the_case_and_its_peak() -> None:
    assert row(ours=0.5).rate() == (200e-9, "GFLOP/s", 0.5)
    assert row(ours=0.5, torch=0.4).ratios() == {TORCH: pytest.approx(0.8)}


def test_a_disturbed_case_is_marked() -> None:
    assert "~" in str(row(noisy=True).cells([TORCH])[2])
    assert "~" not in str(row().cells([TORCH])[2])


def test_a_row_survives_json() -> None:
    one = row()
    assert Row.from_dict(json.loads(json.dumps(one.to_dict()))) == one


def test_peers_are_named_once_and_torch_first() -> None:
    names = [OURS, "F.linear", COMPILED, TORCH, "F.linear"]
    assert ordered(names) == [TORCH, COMPILED, "F.linear"]


def test_the_summary_has_the_worst_and_the_median() -> None:
    rows = [row(torch=seconds) for seconds in (0.4, 1.0, 2.0)]
    rows.append(row("layer_norm", **{COMPILED: 0.5}))
    table = summary(rows)
    assert [*table.rows[0]] == ["linear float32", 3, 0.8, 2.0, None, None, 0.5]
    assert [*table.rows[1]] == ["layer_norm float32", 1, None, None, 1.0, 1.0, 0.5]


def test_losses_are_cases_and_what_tables_tell() -> None:
    rows = [row(torch=1.0), row("attention", **{TORCH: 0.25, COMPILED: 0.4, "other": 0.6})]
    table = Table("memory", "", [], losses=["tiny: torch needs 0.50 of our memory"])
    assert [*losses(rows, [table])] == [
        "attention 2 x 3 float32: torch 0.50, torch.compile 0.80 of our time",
        "memory tiny: torch needs 0.50 of our memory",
    ]


def test_markdown_tells_where_when_and_how() -> None:
    page = report(row(), warning="warning: figures are disturbed").markdown()
    assert page.startswith("# Benchmarks, 2026-11-20\n\n    pytransformer bench linear\n\n")
    for fact in (
        "| processor | Abacus 9000 |",
        "| cores | 2, of which 1 at work |",
        "| instruction set | beads |",
        "| software | torch 2.13.0, Python 3.11.7, GNU 12.2.0 |",
        "| peak float32 | 200 GFLOP/s, measured |",
        "| peak bfloat16 | 400 GFLOP/s, measured |",
        "| copy | 30.0 GB/s read and written, measured |",
        "**Warning: figures are disturbed.**",
        "## linear\n\nProducts.\n\nOur time,",
        "| 2 x 3 float32 | 500.00 | 500.00-500.00 | 0.0 GFLOP/s | 50% | 2.00 |",
        "## Where we lose\n\nNowhere, of what was compared.",
    ):
        assert fact in page


def test_markdown_has_a_table_for_each_allocator_and_the_losses() -> None:
    elsewhere = row(allocator="tcmalloc", **{"torch+tcmalloc": 0.25})
    page = report(row(), elsewhere).markdown()
    assert page.count("| case | ms |") == 2
    assert "all sides with tcmalloc, in a process of their own" in page
    assert page.endswith(
        "## Where we lose\n\n- linear 2 x 3 float32: torch+tcmalloc 0.50 of our time\n"
    )


def test_markdown_has_tables_and_notes_of_a_benchmark() -> None:
    found = report()
    found.subjects["memory"] = "Bytes."
    table = Table("memory", "bytes", [Column("work"), Column("MB", ".1f")], summary="few")
    table.rows.append(["a step", 1.25])
    found.tables.append(table)
    assert found.note("memory", "torch: left out")
    assert not found.note("memory", "torch: left out")
    page = found.markdown()
    assert "## memory\n\nBytes.\n\nBytes:\n\n| work | MB |" in page
    assert "| a step | 1.2 |\n\ntorch: left out.\n\n## Summary\n\n- memory: few\n" in page


def test_files_hold_everything(tmp_path: Path) -> None:
    found = report()
    found.json_file, found.markdown_file = tmp_path / "report.json", tmp_path / "report.md"
    found.add(row(torch=0.25))
    values = json.loads((tmp_path / "report.json").read_text())
    assert values["command"] == "pytransformer bench linear"
    assert values["machine"]["compiler"] == "GNU 12.2.0"
    assert values["peaks"]["bandwidth"] == 3e10
    assert values["rows"][0]["fraction_of_peak"] == 0.5
    assert values["rows"][0]["timings"][TORCH]["samples"] == 5
    assert values["losses"] == ["linear 2 x 3 float32: torch 0.50 of our time"]
    assert (tmp_path / "report.md").read_text(encoding="utf-8") == found.markdown()


def test_the_command_names_what_changes_a_measurement(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LD_PRELOAD", raising=False)
    monkeypatch.delenv("PYTRANSFORMER_ISA", raising=False)
    assert Settings(seconds=3.0).command([], 2) == "pytransformer bench --seconds 3 --threads 2"
    monkeypatch.setenv("PYTRANSFORMER_ISA", "avx2")
    assert Settings(seconds=0.5, compile=False).command(["linear"], 1) == (
        "PYTRANSFORMER_ISA=avx2 pytransformer bench linear --seconds 0.5 --threads 1 --no-compile"
    )
