"""A table looks the same in a terminal and on a page."""

from __future__ import annotations

import pytest

from bench.table import Column, Table


@pytest.fixture
def table() -> Table:
    columns = [Column("work", width=8), Column("ms", ".2f"), Column("calls", "d", width=6)]
    return Table("overhead", "parts of a step", columns, [["all", 12.345, 3], ["none", None, 0]])


def test_text_is_aligned(table: Table) -> None:
    table.notes.append("one was left out")
    assert table.text().splitlines() == [
        "parts of a step",
        "work         ms   calls",
        "all       12.35       3",
        "none          -       0",
        "one was left out",
    ]


def test_disturbed_rows_are_named_once(table: Table) -> None:
    table.noisy += ["all", "none", "all"]
    assert table.text().endswith("\ndisturbed by other programs: all; none")
    assert table.markdown().endswith("\n\ndisturbed by other programs: all; none")
    assert table.to_dict()["noisy"] == ["all", "none", "all"]


def test_a_row_is_as_wide_as_its_head_before_others_are_known(table: Table) -> None:
    table.rows.clear()
    assert len(table.line(["a", None, 2])) == len(table.head())


def test_markdown_has_numbers_on_the_right(table: Table) -> None:
    table.notes.append("One was left out.")
    assert table.markdown() == (
        "Parts of a step:\n\n"
        "| work | ms | calls |\n"
        "| --- | ---: | ---: |\n"
        "| all | 12.35 | 3 |\n"
        "| none | - | 0 |\n\n"
        "One was left out."
    )


def test_without_rows_the_notes_are_left(table: Table) -> None:
    table.rows.clear()
    table.notes.append("nothing runs here")
    assert table.text() == "parts of a step\nnothing runs here"
    assert table.markdown() == "Parts of a step:\n\nnothing runs here"


def test_json_names_each_cell(table: Table) -> None:
    assert table.to_dict()["rows"] == [
        {"work": "all", "ms": 12.345, "calls": 3},
        {"work": "none", "ms": None, "calls": 0},
    ]
