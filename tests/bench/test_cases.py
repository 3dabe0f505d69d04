"""Every benchmark's checks hold, and a report has what it promises."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from bench.case import OURS, TORCH
from bench.machine import peak_bandwidth, peak_operations
from bench.main import BENCHMARKS, run
from bench.train_step import batch, operations, step_case
from pytransformer import TransformerConfig
from tests.cases.backend import native_only

pytestmark = native_only

ROOT = Path(__file__).resolve().parents[2]


def test_every_benchmark_is_listed() -> None:
    for name in BENCHMARKS:
        assert (ROOT / "bench" / f"{name}.py").is_file()


def test_a_report_has_every_case(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = run(["embedding"], seconds=0.0, json=tmp_path / "report.json")
    report = json.loads((tmp_path / "report.json").read_text())
    assert len(report["rows"]) == len(rows) >= 2
    for row in report["rows"]:
        assert row["ratios"].keys() == {TORCH}
        assert row["timings"].keys() == {OURS, TORCH}
        assert row["rate"] > 0
        assert row["fraction_of_peak"] > 0
    assert report["machine"]["threads"] >= 1
    assert "times as fast as" in capsys.readouterr().out


def test_both_sides_of_a_step_learn() -> None:
    case = step_case("tiny", torch.float32, sentences=2)
    case.check()
    for side in case.sides.values():
        side()


def test_the_operations_of_a_step_are_those_of_its_products() -> None:
    config = TransformerConfig.preset("tiny", vocab_size=10_000)
    src, tgt = batch(1, even=True)
    # One source and one target sentence of 18 rows; products of a row in a layer: 4 d^2 + 2 d ff in
    # the encoder, 6 d^2 + 2 d ff and 2 d^2 of the memory in the decoder; each three times.
    d, ff, n = 128, 256, 18
    linear = n * (4 * (4 * d * d + 2 * d * ff) + 4 * (8 * d * d + 2 * d * ff) + d * 9_999)
    pairs = 4 * n * n + 4 * (n * (n + 1) / 2 + n * n)
    assert operations(config, src, tgt) == pytest.approx(2.0 * (3 * linear + 7 * d * pairs))


def test_peaks_are_measured() -> None:
    assert peak_operations("float32") > 1e8
    assert peak_bandwidth() > 1e8
