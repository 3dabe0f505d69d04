"""Runs benchmarks and prints what they found."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from bench.case import Case
from bench.machine import describe, peak_bandwidth, peak_operations
from bench.report import Row, heading, line, losses, write_json
from bench.timing import alternate

BENCHMARKS = (
    "linear",
    "attention",
    "layer_norm",
    "add_layer_norm",
    "feed_forward",
    "linear_cross_entropy",
    "embedding",
    "train_step",
)


def run(names: Sequence[str], seconds: float, json: Path | None) -> list[Row]:
    """Run the named benchmarks, in the order of ``BENCHMARKS``.

    Args:
        names: of benchmarks; none means all.
        seconds: how long each case is timed, all its sides together.
        json: where to write the report, besides printing it.
    """
    machine = describe()
    print("  ".join(f"{key} {value}" for key, value in asdict(machine).items()))
    print(
        f"peaks: {peak_operations('float32') / 1e9:.0f} GFLOP/s in float32, "
        f"{peak_operations('bfloat16') / 1e9:.0f} in bfloat16, {peak_bandwidth() / 1e9:.1f} GB/s"
    )
    rows: list[Row] = []
    for name in BENCHMARKS:
        if names and name not in names:
            continue
        print(heading(name), flush=True)
        for case in _cases(name):
            case.check()
            rows.append(Row(name, case, alternate(case.sides, seconds)))
            print(line(rows[-1]), flush=True)
    if lost := list(losses(rows)):
        print("\nwhere a peer is faster:", *lost, sep="\n")
    if json is not None:
        write_json(json, machine, rows)
    return rows


def _cases(name: str) -> Iterator[Case]:
    yield from importlib.import_module(f"bench.{name}").cases()
