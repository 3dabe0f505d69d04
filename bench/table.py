"""The one way to print: a table of text, the same as Markdown, the same as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

Cell = str | int | float | None


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        name: with its unit.
        format: of its numbers, as ``.2f``; empty for text.
        width: at least; for tables that are printed row by row, before their cells are known.
    """

    name: str
    format: str = ""
    width: int = 0

    def text(self, cell: Cell) -> str:
        """A cell as it is printed; one that was not measured is a dash."""
        return "-" if cell is None else format(cell, self.format)


@dataclass
class Table:
    """What a benchmark measured.

    Attributes:
        benchmark: its name.
        title: what the rows are about.
        columns: the first names the row.
        rows: a cell for each column.
        notes: what a reader has to know besides, a line each: what was left out, and why.
        summary: what to remember of it, for the end of the report; may be empty.
        losses: where it shows us behind, a line each.
        noisy: the names of rows that other programs disturbed.
    """

    benchmark: str
    title: str
    columns: Sequence[Column]
    rows: list[Sequence[Cell]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    summary: str = ""
    losses: list[str] = field(default_factory=list)
    noisy: list[str] = field(default_factory=list)

    def text(self) -> str:
        """The whole table, as wide as its cells."""
        lines = [self.title]
        if self.rows:
            lines += [self.head(), *(self.line(row) for row in self.rows)]
        return "\n".join([*lines, *self._remarks()])

    def head(self) -> str:
        """The names of the columns."""
        return self._align([column.name for column in self.columns])

    def line(self, row: Sequence[Cell]) -> str:
        """One row."""
        return self._align(self._texts(row))

    def markdown(self) -> str:
        """The table in Markdown, numbers on the right."""
        blocks = [f"{self.title[:1].upper()}{self.title[1:]}:"]
        if self.rows:
            names = [column.name for column in self.columns]
            rule = ["---", *("---:" for _ in names[1:])]
            cells = [names, rule, *(self._texts(row) for row in self.rows)]
            blocks.append("\n".join(f"| {' | '.join(texts)} |" for texts in cells))
        return "\n\n".join([*blocks, *self._remarks()])

    def to_dict(self) -> dict[str, Any]:
        names = [column.name for column in self.columns]
        return {
            "benchmark": self.benchmark,
            "title": self.title,
            "rows": [dict(zip(names, row, strict=True)) for row in self.rows],
            "notes": self.notes,
            "summary": self.summary,
            "losses": self.losses,
            "noisy": self.noisy,
        }

    def _remarks(self) -> Iterator[str]:
        yield from self.notes
        if self.noisy:
            yield f"disturbed by other programs: {'; '.join(dict.fromkeys(self.noisy))}"

    def _texts(self, row: Sequence[Cell]) -> list[str]:
        return [column.text(cell) for column, cell in zip(self.columns, row, strict=True)]

    def _align(self, texts: Sequence[str]) -> str:
        first, *others = (
            f"{text:<{width}}" if index == 0 else f"{text:>{width}}"
            for index, (text, width) in enumerate(zip(texts, self._widths(), strict=True))
        )
        return "  ".join([first, *others])

    def _widths(self) -> list[int]:
        rows = [self._texts(row) for row in self.rows]
        return [
            max(column.width, len(column.name), *(len(row[index]) for row in rows), 0)
            for index, column in enumerate(self.columns)
        ]
