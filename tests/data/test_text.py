"""Text is read line by line, and what is wrong with it is named by file and line."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from pytransformer.data.text import read_lines, read_pairs
from pytransformer.errors import UserError


@pytest.mark.parametrize("name", ["text.en", "text.en.gz"])
def test_lines_end_at_line_feeds_only(tmp_path: Path, name: str) -> None:
    # A line separator, a form feed and a lone carriage return are text; a mark at the start is not.
    content = "\ufeffeins\r\nzw\u2028ei\n\n\x0cdr\rei\nohne Ende".encode()
    path = tmp_path / name
    path.write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    assert list(read_lines(path)) == ["eins", "zw\u2028ei", "", "\x0cdr\rei", "ohne Ende"]


def test_an_empty_file_has_no_lines(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    assert list(read_lines(tmp_path / "empty")) == []


def test_invalid_utf8_is_named_by_line_and_byte(tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_bytes(b"good\n\xc3\xa4\xff\n")
    with pytest.raises(UserError, match=rf"^{path}, line 2: not valid UTF-8 \(byte 0xff at byte 3"):
        list(read_lines(path))


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-12], lambda data: b"no gzip", lambda data: data[:20] + b"\0" * 9]
)
def test_damaged_gzip_is_named(tmp_path: Path, damage) -> None:
    path = tmp_path / "text.gz"
    path.write_bytes(damage(gzip.compress(b"some text\n" * 1000)))
    with pytest.raises(UserError, match=rf"^{path}, after line \d+: damaged gzip file"):
        list(read_lines(path))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot read .*nowhere: No such file"):
        list(read_lines(tmp_path / "nowhere"))
    with pytest.raises(UserError, match="cannot read"):
        list(read_lines(tmp_path))


def test_pairs_come_in_order(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1\n2\n")
    (tmp_path / "b").write_text("x\n\n")
    assert list(read_pairs(tmp_path / "a", tmp_path / "b")) == [("1", "x"), ("2", "")]


@pytest.mark.parametrize(("left", "right"), [(3, 5), (5, 3), (0, 2)])
def test_differing_line_counts_name_both(tmp_path: Path, left: int, right: int) -> None:
    (tmp_path / "a").write_text("\n" * left)
    (tmp_path / "b").write_text("\n" * right)
    with pytest.raises(UserError, match=rf"a has {left} lines, but .*b has {right};"):
        list(read_pairs(tmp_path / "a", tmp_path / "b"))
