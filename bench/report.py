"""What was measured, as a table to read and as JSON to keep."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.case import OURS, Case
from bench.machine import Machine, peak_bandwidth, peak_operations
from bench.timing import Timing


@dataclass(frozen=True)
class Row:
    """One case with the timings of its sides."""

    benchmark: str
    case: Case
    timings: dict[str, Timing]

    @property
    def ours(self) -> Timing:
        return self.timings[OURS]

    def ratios(self) -> dict[str, float]:
        """How many times as long each peer takes."""
        return {
            name: timing.median / self.ours.median
            for name, timing in self.timings.items()
            if name != OURS
        }

    def rate(self) -> tuple[float, str, float]:
        """What we achieve: the number, its unit, and the fraction of the machine's peak."""
        if self.case.operations:
            rate = self.case.operations / self.ours.median
            return rate / 1e9, "GFLOP/s", rate / peak_operations(self.case.precision)
        rate = self.case.bytes / self.ours.median
        return rate / 1e9, "GB/s", rate / peak_bandwidth()

    def to_dict(self) -> dict[str, Any]:
        number, unit, fraction = self.rate()
        return {
            "benchmark": self.benchmark,
            "case": self.case.name,
            "dtype": self.case.precision,
            "mode": self.case.mode,
            "timings": {name: asdict(timing) for name, timing in self.timings.items()},
            "ratios": self.ratios(),
            "rate": number,
            "unit": unit,
            "fraction_of_peak": fraction,
        }


_HEADER = f"{'case':<40}{'ms':>9}{'10-90%':>15}{'rate':>15}{'of peak':>9}  times as fast as"


def heading(benchmark: str) -> str:
    """Two lines above a benchmark's rows."""
    return f"\n{benchmark}\n{_HEADER}"


def line(row: Row) -> str:
    """One row of the table."""
    case, ours = row.case, row.ours
    number, unit, fraction = row.rate()
    mode = "" if case.mode == "forward" else " +bwd"
    name = f"{case.name} {case.precision}{mode}"
    spread = f"{ours.low * 1e3:.2f}-{ours.high * 1e3:.2f}"
    peers = "  ".join(f"{peer} {ratio:.2f}" for peer, ratio in row.ratios().items())
    return (
        f"{name:<40}{ours.median * 1e3:>9.2f}{spread:>15}{number:>8.1f} {unit:<7}{fraction:>8.0%}"
        f"  {peers}"
    )


def losses(rows: Sequence[Row]) -> Iterator[str]:
    """A line for every case in which a peer is faster than we are."""
    for row in rows:
        for peer, ratio in row.ratios().items():
            if ratio < 1.0:
                yield (
                    f"{row.benchmark} {row.case.name} {row.case.precision} {row.case.mode}: "
                    f"{peer} takes {ratio:.2f} of our time"
                )


def write_json(path: Path, machine: Machine, rows: Sequence[Row]) -> None:
    """The whole report as JSON."""
    report = {"machine": asdict(machine), "rows": [row.to_dict() for row in rows]}
    path.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
