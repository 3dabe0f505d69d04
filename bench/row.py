"""One case and what its sides took."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from bench.case import OURS, Case
from bench.machine import peak_bandwidth, peak_operations
from bench.table import Cell, Column, Table
from bench.timing import Timing


@dataclass(frozen=True)
class Row:
    """One case with the timings of its sides.

    Attributes:
        benchmark, case, dtype, mode, operations, bytes: what was timed; see ``Case``.
        peak: the most operations, or else bytes, per second that the machine does.
        timings: of each side.
        allocator: where all sides had their memory from.
    """

    benchmark: str
    case: str
    dtype: str
    mode: str
    operations: float
    bytes: float
    peak: float
    timings: dict[str, Timing]
    allocator: str

    @classmethod
    def of(cls, benchmark: str, case: Case, timings: dict[str, Timing], allocator: str) -> Row:
        """The row of ``case``."""
        return cls(
            benchmark=benchmark,
            case=case.name,
            dtype=case.precision,
            mode=case.mode,
            operations=case.operations,
            bytes=case.bytes,
            peak=peak_operations(case.precision, case.device)
            if case.operations
            else peak_bandwidth(case.device),
            timings=timings,
            allocator=allocator,
        )

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Row:
        """A row that ``dataclasses.asdict`` or ``to_dict`` took apart."""
        own = {field.name: values[field.name] for field in fields(cls)}
        own["timings"] = {name: Timing(**timing) for name, timing in own["timings"].items()}
        return cls(**own)

    @property
    def ours(self) -> Timing:
        return self.timings[OURS]

    @property
    def name(self) -> str:
        """The case with its type, and whether backward is timed too."""
        return f"{self.case} {self.dtype}{'' if self.mode == 'forward' else ' +bwd'}"

    def ratios(self) -> dict[str, float]:
        """How many times as long each peer takes."""
        return {
            name: timing.median / self.ours.median
            for name, timing in self.timings.items()
            if name != OURS
        }

    def rate(self) -> tuple[float, str, float]:
        """What we achieve: the number, its unit, and the fraction of the machine's peak."""
        rate = (self.operations or self.bytes) / self.ours.median
        return rate / 1e9, "GFLOP/s" if self.operations else "GB/s", rate / self.peak

    def cells(self, peers: Sequence[str]) -> list[Cell]:
        """Those of ``table_of(…, peers)``."""
        number, unit, fraction = self.rate()
        ratios = self.ratios()
        noisy = any(timing.noisy for timing in self.timings.values())
        return [
            self.name,
            self.ours.median * 1e3,
            f"{self.ours.low * 1e3:.2f}-{self.ours.high * 1e3:.2f}{' ~' if noisy else ''}",
            f"{number:.1f} {unit}",
            fraction,
            *(ratios.get(peer) for peer in peers),
        ]

    def to_dict(self) -> dict[str, Any]:
        number, unit, fraction = self.rate()
        return {
            **asdict(self),
            "ratios": self.ratios(),
            "rate": number,
            "unit": unit,
            "fraction_of_peak": fraction,
        }


def table_of(benchmark: str, peers: Sequence[str], elsewhere: str = "") -> Table:
    """An empty table for the rows of ``benchmark``, with a column for each peer.

    ``elsewhere`` is the allocator of another process than this, where that is what they tell.
    """
    title = "our time, what it achieves, and how many times as long a peer takes"
    if elsewhere:
        title += f"; all sides with {elsewhere}, in a process of their own"
    return Table(
        benchmark,
        title,
        [
            Column("case", width=50),
            Column("ms", ".2f", 8),
            Column("10-90%", width=15),
            Column("rate", width=13),
            Column("of peak", ".0%"),
            *(Column(peer, ".2f") for peer in peers),
        ],
    )
