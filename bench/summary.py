"""The end of a report: each benchmark in a line, and where we lose."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Sequence

from bench.case import COMPILED, OURS, TORCH
from bench.row import Row
from bench.table import Cell, Column, Table

_ORDER = (TORCH, COMPILED)


def peers_of(rows: Sequence[Row]) -> list[str]:
    """Whom ``rows`` compare with."""
    return ordered(name for row in rows for name in row.timings)


def ordered(sides: Iterable[str]) -> list[str]:
    """All but ours, each once, torch first."""
    found = dict.fromkeys(name for name in sides if name != OURS)
    return [
        *(name for name in _ORDER if name in found),
        *(name for name in found if name not in _ORDER),
    ]


def summary(rows: Sequence[Row]) -> Table:
    """By benchmark and type: the worst and the median ratio, the smallest fraction of the peak."""
    peers = peers_of(rows)
    table = Table(
        "summary",
        "how many times as long a peer takes, and the smallest fraction of the peak that we reach",
        [
            Column("benchmark"),
            Column("cases", "d"),
            *(Column(f"{peer} {which}", ".2f") for peer in peers for which in ("worst", "median")),
            Column("of peak", ".0%"),
        ],
    )
    for kind in dict.fromkeys((row.benchmark, row.dtype) for row in rows):
        own = [row for row in rows if (row.benchmark, row.dtype) == kind]
        cells: list[Cell] = [" ".join(kind), len(own)]
        for peer in peers:
            ratios = [row.ratios()[peer] for row in own if peer in row.timings]
            cells += [min(ratios), statistics.median(ratios)] if ratios else [None, None]
        table.rows.append([*cells, min(row.rate()[2] for row in own)])
    return table


def losses(rows: Sequence[Row], tables: Sequence[Table]) -> Iterator[str]:
    """A line for every case in which peers are faster than we are, and what tables tell of it."""
    for row in rows:
        faster = [f"{peer} {ratio:.2f}" for peer, ratio in row.ratios().items() if ratio < 1.0]
        if faster:
            yield f"{row.benchmark} {row.name}: {', '.join(faster)} of our time"
    for table in tables:
        yield from (f"{table.benchmark} {loss}" for loss in table.losses)
