"""Reports of machines that nobody has."""

from __future__ import annotations

from bench.case import OURS, TORCH
from bench.machine import Machine
from bench.report import Report
from bench.row import Row
from bench.timing import Samples, Timing

MACHINE = Machine(
    processor="Abacus 9000",
    cores=2,
    threads=1,
    instruction_set="beads",
    allocator="malloc",
    torch="2.13.0",
    python="3.11.7",
    compiler="GNU 12.2.0",
)


def timing(seconds: float, noisy: bool = False) -> Timing:
    """Of five equal samples."""
    return Timing.of(Samples([seconds] * 5, dropped=0, noisy=noisy))


def row(
    benchmark: str = "linear",
    ours: float = 0.5,
    allocator: str = "malloc",
    noisy: bool = False,
    **peers: float,
) -> Row:
    """A case of 100 operations, on a machine that does 400 per second."""
    timings = {OURS: timing(ours, noisy)}
    timings |= {name: timing(seconds) for name, seconds in (peers or {TORCH: 1.0}).items()}
    return Row(
        benchmark=benchmark,
        case="2 x 3",
        dtype="float32",
        mode="forward",
        operations=100.0,
        bytes=0.0,
        peak=400.0,
        timings=timings,
        allocator=allocator,
    )


def report(*rows: Row, warning: str = "") -> Report:
    """A report with ``rows``."""
    return Report(
        command="pytransformer bench linear",
        date="2026-11-20",
        machine=MACHINE,
        load=0.25,
        warning=warning,
        peaks={"float32": 2e11, "bfloat16": 4e11, "bandwidth": 3e10},
        rows=[*rows],
        subjects={row.benchmark: "Products." for row in rows},
    )
