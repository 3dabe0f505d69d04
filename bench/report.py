"""All that a run found, to be written as JSON and as Markdown."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from bench.machine import Machine
from bench.row import Row, table_of
from bench.summary import losses, peers_of, summary
from bench.table import Table

_METHOD = (
    "Ours is checked against the reference first; then all sides take turns in one process, {}. A "
    "peer's number says how many times as long it takes: below 1 we lose. `docs/benchmarks.md` "
    "tells more."
)
_ON_THE_CPU = "with warm caches; `~` marks cases that other programs disturbed"
_ON_A_GPU = "timed by the device's events, with inputs that its cache does not hold"


@dataclass
class Report:
    """A run of the benchmarks.

    Attributes:
        command: what makes it again.
        date: of its beginning, as ``2026-11-20``.
        machine: where it was made.
        load: the load average at its beginning.
        warning: what disturbed it then; may be empty.
        peaks: what the machine can do: operations per second by type, and bytes per second.
        rows: the cases that were timed against peers.
        tables: what other benchmarks measured.
        notes: what was left out and why, by benchmark.
        subjects: what each benchmark compares.
        json_file, markdown_file: where ``write`` writes it.
    """

    command: str
    date: str
    machine: Machine
    load: float
    warning: str
    peaks: dict[str, float]
    rows: list[Row] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)
    subjects: dict[str, str] = field(default_factory=dict)
    json_file: Path | None = None
    markdown_file: Path | None = None

    def circumstances(self) -> Iterator[tuple[str, str]]:
        """Where and when, a name and a value each."""
        machine, peaks = self.machine, self.peaks
        yield "date", self.date
        if machine.gpu:
            yield "GPU", machine.gpu
        yield "processor", machine.processor
        yield "cores", f"{machine.cores}, of which {machine.threads} at work"
        if not machine.gpu:
            yield "instruction set", machine.instruction_set
        yield "software", f"torch {machine.torch}, Python {machine.python}, {machine.compiler}"
        yield "allocator", machine.allocator
        yield "peak float32", f"{peaks['float32'] / 1e9:.0f} GFLOP/s, measured"
        yield "peak bfloat16", f"{peaks['bfloat16'] / 1e9:.0f} GFLOP/s, measured"
        yield "copy", f"{peaks['bandwidth'] / 1e9:.1f} GB/s read and written, measured"
        yield "load average", f"{self.load:.2f} at the beginning"

    def add(self, found: Row | Table) -> None:
        """Add what was measured, and write the report anew: a run may be ended early."""
        if isinstance(found, Row):
            self.rows.append(found)
        else:
            self.tables.append(found)
        self.write()

    def note(self, benchmark: str, text: str) -> bool:
        """Add a note; returns False where it is there already."""
        if (benchmark, text) in self.notes:
            return False
        self.notes.append((benchmark, text))
        return True

    def ending(self) -> Iterator[str]:
        """The summary and the losses, in lines."""
        if self.rows:
            yield summary(self.rows).text()
        yield from self._highlights()
        lost = self._losses()
        yield "where we lose:" if lost else "where we lose: nowhere, of what was compared"
        yield from lost

    def json(self) -> str:
        """All of it."""
        values = {
            "command": self.command,
            "date": self.date,
            "machine": asdict(self.machine),
            "load_average": self.load,
            "warning": self.warning,
            "peaks": self.peaks,
            "subjects": self.subjects,
            "rows": [row.to_dict() for row in self.rows],
            "tables": [table.to_dict() for table in self.tables],
            "notes": [{"benchmark": name, "text": text} for name, text in self.notes],
            "summary": summary(self.rows).to_dict()["rows"],
            "losses": self._losses(),
        }
        return json.dumps(values, indent=1) + "\n"

    def markdown(self) -> str:
        """All of it, for a reader: a page of ``bench/results``."""
        facts = [f"| {name} | {value} |" for name, value in self.circumstances()]
        blocks = [
            f"# Benchmarks, {self.date}",
            f"    {self.command}",
            "\n".join(["| | |", "|---|---|", *facts]),
        ]
        if self.warning:
            blocks.append(f"**{self.warning[:1].upper()}{self.warning[1:]}.**")
        blocks.append(_METHOD.format(_ON_A_GPU if self.machine.gpu else _ON_THE_CPU))
        return "\n\n".join([*blocks, *self._sections(), *self._conclusions()]) + "\n"

    def write(self) -> None:
        """Write what the report has by now."""
        if self.json_file is not None:
            self.json_file.write_text(self.json(), encoding="utf-8")
        if self.markdown_file is not None:
            self.markdown_file.write_text(self.markdown(), encoding="utf-8")

    def _sections(self) -> Iterator[str]:
        for name, subject in self.subjects.items():
            yield f"## {name}"
            yield subject
            own = [row for row in self.rows if row.benchmark == name]
            for allocator in dict.fromkeys(row.allocator for row in own):
                yield self._table([row for row in own if row.allocator == allocator]).markdown()
            yield from (table.markdown() for table in self.tables if table.benchmark == name)
            yield from (f"{text}." for benchmark, text in self.notes if benchmark == name)

    def _conclusions(self) -> Iterator[str]:
        yield "## Summary"
        if self.rows:
            yield summary(self.rows).markdown()
        if lines := self._highlights():
            yield "\n".join(f"- {line}" for line in lines)
        yield "## Where we lose"
        yield "\n".join(f"- {line}" for line in self._losses()) or "Nowhere, of what was compared."

    def _table(self, rows: list[Row]) -> Table:
        own, first = self.machine.allocator, rows[0]
        elsewhere = first.allocator if first.allocator != own else ""
        table = table_of(first.benchmark, peers_of(rows), elsewhere)
        table.rows += [row.cells(peers_of(rows)) for row in rows]
        return table

    def _highlights(self) -> list[str]:
        return [f"{table.benchmark}: {table.summary}" for table in self.tables if table.summary]

    def _losses(self) -> list[str]:
        return [*losses(self.rows, self.tables)]
