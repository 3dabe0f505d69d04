"""Sequences of different length come back from their two files as they went in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pytransformer.data.ragged import (
    RaggedWriter,
    largest_token,
    let_go,
    offset_file,
    open_ragged,
    token_dtype,
    token_file,
)
from pytransformer.errors import UserError
from tests.cases.disk import full_disk

CHUNKS = [[[5, 6, 7], [], [8]], [], [[65534, 1]]]


def write(stem: Path, chunks: list[list[list[int]]] = CHUNKS, dtype: type = np.uint16) -> None:
    with RaggedWriter(stem, np.dtype(dtype)) as writer:
        for chunk in chunks:
            writer.append(*flat(chunk))
        writer.finish()


def flat(chunk: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    tokens = np.array([token for sequence in chunk for token in sequence], np.int64)
    return tokens, np.array([len(sequence) for sequence in chunk], np.int64)


@pytest.mark.parametrize("dtype", [np.uint16, np.uint32])
def test_sequences_go_round(tmp_path: Path, dtype: type) -> None:
    write(tmp_path / "a.b", dtype=dtype)
    tokens, offsets = open_ragged(tmp_path / "a.b")
    assert tokens.dtype == dtype
    assert isinstance(tokens, np.memmap)
    np.testing.assert_array_equal(tokens, [5, 6, 7, 8, 65534, 1])
    np.testing.assert_array_equal(offsets, [0, 3, 3, 4, 6])
    # Both are plain NumPy files.
    np.testing.assert_array_equal(np.load(token_file(tmp_path / "a.b")), tokens)


def test_no_tokens_at_all(tmp_path: Path) -> None:
    write(tmp_path / "a", [[[], []]])
    tokens, offsets = open_ragged(tmp_path / "a")
    assert len(tokens) == 0
    assert offsets.tolist() == [0, 0, 0]


def test_many_chunks_outgrow_the_first_header(tmp_path: Path) -> None:
    chunk = [list(range(500))] * 100
    write(tmp_path / "a", [chunk] * 25)
    tokens, offsets = open_ragged(tmp_path / "a")
    assert len(tokens) == offsets[-1] == 25 * 100 * 500
    assert tokens[-1] == 499


def test_writing_goes_on_where_it_was_flushed(tmp_path: Path) -> None:
    write(tmp_path / "whole", [*CHUNKS, [[9, 9], [4]]])
    with RaggedWriter(tmp_path / "parts", np.dtype(np.uint16)) as writer:
        writer.append(*flat(CHUNKS[0]))
        writer.flush()
        writer.append(*flat([[1, 2, 3, 4, 5]]))  # lost: nobody knows of it
    with RaggedWriter(tmp_path / "parts", np.dtype(np.uint16), sequences=3) as writer:
        for chunk in (CHUNKS[2], [[9, 9], [4]]):
            writer.append(*flat(chunk))
        writer.finish()
    for file in (token_file, offset_file):
        assert file(tmp_path / "parts").read_bytes() == file(tmp_path / "whole").read_bytes()


def test_what_was_lost_is_not_gone_on_with(tmp_path: Path) -> None:
    with RaggedWriter(tmp_path / "a", np.dtype(np.uint16)) as writer:
        writer.append(*flat(CHUNKS[0]))
    with pytest.raises(UserError, match="is shorter than was written"):
        RaggedWriter(tmp_path / "a", np.dtype(np.uint16), sequences=4)
    token_file(tmp_path / "a").write_bytes(token_file(tmp_path / "a").read_bytes()[:-1])
    with pytest.raises(UserError, match="is shorter than was written"):
        RaggedWriter(tmp_path / "a", np.dtype(np.uint16), sequences=3)


def test_a_full_disk_is_what_the_system_says(tmp_path: Path) -> None:
    with RaggedWriter(tmp_path / "a", np.dtype(np.uint16)) as writer:
        writer.append(np.zeros(0, np.int64), np.zeros(5000, np.int64))  # 20,000 and 40,008 bytes
        with full_disk(30_000), pytest.raises(OSError, match="File too large"):
            writer.finish()


def _mapped_megabytes() -> float:
    """What the process has in memory of files."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("RssFile:")[2].split()[0]) / 1024


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="asks Linux")
def test_mapped_pages_are_let_go(tmp_path: Path) -> None:
    stem = tmp_path / "a"
    count = 60_000_000  # 120 MB
    np.lib.format.open_memmap(token_file(stem), "w+", np.uint16, (count,))[7] = 9
    np.save(offset_file(stem), np.array([0, count]))
    tokens, _ = open_ragged(stem)
    before = _mapped_megabytes()
    assert largest_token(tokens) == 9
    assert _mapped_megabytes() < before + 40
    assert tokens.max() == 9  # all of it is mapped by this
    assert _mapped_megabytes() > before + 100
    let_go(tokens)
    assert _mapped_megabytes() < before + 10
    assert tokens[7] == 9


def test_an_id_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OverflowError):
        write(tmp_path / "a", [[[65536]]])
    assert not offset_file(tmp_path / "a").exists()


@pytest.mark.parametrize(("size", "dtype"), [(65536, np.uint16), (65537, np.uint32)])
def test_the_dtype_is_the_smallest_that_holds_every_id(size: int, dtype: type) -> None:
    assert token_dtype(size) == dtype
    assert np.iinfo(dtype).max >= size - 1


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda t, o: t.unlink(), "cannot read .*tokens.npy"),
        (lambda t, o: o.unlink(), "cannot read .*offsets.npy"),
        (lambda t, o: t.write_bytes(t.read_bytes()[:-2]), "cannot read .*tokens.npy"),
        (lambda t, o: o.write_bytes(b""), "cannot read .*offsets.npy"),
        (lambda t, o: t.write_bytes(b"text" * 100), "cannot read .*tokens.npy"),
        (lambda t, o: np.save(o, np.array([0, 3, 5])), "does not fit the 6 tokens"),
        (lambda t, o: np.save(o, np.array([0, 4, 3, 6])), "does not fit the 6 tokens"),
        (lambda t, o: np.save(o, np.array([0.0, 6.0])), "holds no int64 offsets"),
        (lambda t, o: np.save(t, np.zeros(6)), "holds no tokens"),
    ],
)
def test_damage_is_named(tmp_path: Path, damage, message: str) -> None:
    write(tmp_path / "a")
    damage(token_file(tmp_path / "a"), offset_file(tmp_path / "a"))
    with pytest.raises(UserError, match=f"{message}.*; prepare the data again"):
        open_ragged(tmp_path / "a")
