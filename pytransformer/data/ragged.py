"""Sequences of different length in two flat files: all tokens end to end, and where each begins.

``{stem}.tokens.npy`` is uint16 or uint32 ``[tokens]``; ``{stem}.offsets.npy`` is int64
``[sequences + 1]``. Both are plain NumPy files that can be mapped into memory.
"""

from __future__ import annotations

import mmap
import os
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from pytransformer.errors import UserError

_LENGTH = np.dtype(np.int32)
# Tokens looked at together.
_AT_ONCE = 1 << 24


def token_dtype(vocab_size: int) -> np.dtype[Any]:
    """The smallest dtype that holds every id of a vocabulary."""
    return np.dtype(np.uint16 if vocab_size <= 2**16 else np.uint32)


def token_file(stem: Path) -> Path:
    """The file of the tokens."""
    return stem.with_name(stem.name + ".tokens.npy")


def offset_file(stem: Path) -> Path:
    """The file of the offsets."""
    return stem.with_name(stem.name + ".offsets.npy")


def length_file(stem: Path) -> Path:
    """The file of the lengths, which serves only while the others are written."""
    return stem.with_name(stem.name + ".lengths")


class RaggedWriter:
    """Writes the two files chunk by chunk, so that the text may be larger than the memory.

    Until ``finish`` the lengths lie in a file of their own, ``{stem}.lengths``, so that writing can
    go on in another process where the last ``flush`` left it. A context manager, which closes the
    files as they are.
    """

    def __init__(self, stem: Path, dtype: np.dtype[Any], sequences: int = 0) -> None:
        """Begin, or go on after the first ``sequences``.

        Raises:
            UserError: if the files do not hold that many.
        """
        self._stem = stem
        self._dtype = dtype
        if not sequences:
            for path in (token_file(stem), length_file(stem)):
                path.write_bytes(b"")
        self._lengths = length_file(stem).open("r+b")
        self._file = token_file(stem).open("r+b")
        self._keep(sequences)

    def append(self, tokens: NDArray[Any], lengths: NDArray[np.int64]) -> None:
        """Add sequences at the end.

        Args:
            tokens: of all of them, end to end.
            lengths: tokens of each.
        """
        if len(tokens) and int(tokens.max()) > np.iinfo(self._dtype).max:
            raise OverflowError(f"id {tokens.max()} does not fit into {self._dtype}")
        self._file.write(tokens.astype(self._dtype).tobytes())
        self._lengths.write(lengths.astype(_LENGTH).tobytes())
        self._tokens += len(tokens)

    def flush(self) -> None:
        """Put on the disk what was added: from here on it can be gone on with."""
        for file in (self._file, self._lengths):
            file.flush()
            os.fsync(file.fileno())

    def finish(self) -> None:
        """Complete the two files and put them on the disk; nothing can be added any more."""
        self._write_header()
        self.flush()
        lengths = np.fromfile(length_file(self._stem), _LENGTH)
        offsets = np.concatenate(([0], lengths)).cumsum(dtype=np.int64)
        with offset_file(self._stem).open("wb") as file:
            # np.save would count bytes where the system says that the disk is full.
            npy.write_array_header_1_0(file, npy.header_data_from_array_1_0(offsets))
            file.write(offsets.data)
            file.flush()
            os.fsync(file.fileno())

    def __enter__(self) -> RaggedWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()
        self._lengths.close()

    def _keep(self, sequences: int) -> None:
        """Cut both files after so many sequences, whose tokens are those that there are."""
        lengths = np.fromfile(self._lengths, _LENGTH, sequences)
        self._tokens = int(lengths.sum(dtype=np.int64))
        self._write_header()
        end = self._file.tell() + self._tokens * self._dtype.itemsize
        if len(lengths) < sequences or self._file.seek(0, os.SEEK_END) < end:
            raise UserError(
                f"{token_file(self._stem)} is shorter than was written; give the command again"
            )
        self._lengths.truncate(sequences * _LENGTH.itemsize)
        self._file.truncate(end)
        self._file.seek(end)
        self._lengths.seek(0, os.SEEK_END)

    def _write_header(self) -> None:
        # NumPy leaves room in the header for the first dimension to grow, so that it may be
        # written again once the number of tokens is known.
        self._file.seek(0)
        npy.write_array_header_1_0(
            self._file,
            {
                "descr": npy.dtype_to_descr(self._dtype),
                "fortran_order": False,
                "shape": (self._tokens,),
            },
        )


def open_ragged(stem: Path) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Map the two files: tokens ``[tokens]`` read-only from the disk, offsets in memory.

    Raises:
        UserError: naming the file that is missing, truncated or no such file.
    """
    offsets = _load(offset_file(stem), mapped=False)
    tokens = _load(token_file(stem), mapped=True)
    if offsets.dtype != np.int64 or offsets.ndim != 1 or len(offsets) == 0:
        raise UserError(f"{offset_file(stem)} holds no int64 offsets; prepare the data again")
    if tokens.dtype not in (np.uint16, np.uint32) or tokens.ndim != 1:
        raise UserError(f"{token_file(stem)} holds no tokens; prepare the data again")
    if offsets[0] != 0 or offsets[-1] != len(tokens) or (np.diff(offsets) < 0).any():
        raise UserError(
            f"{offset_file(stem)} does not fit the {len(tokens)} tokens of "
            f"{token_file(stem).name}; prepare the data again"
        )
    return tokens, offsets


def gather(
    tokens: NDArray[Any], offsets: NDArray[np.int64], indices: NDArray[np.int64]
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """The sequences with these indices: their tokens end to end, and their lengths."""
    lengths = offsets[indices + 1] - offsets[indices]
    within = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return tokens[within + np.repeat(offsets[indices], lengths)], lengths


def largest_token(tokens: NDArray[Any]) -> int:
    """The largest of mapped tokens, -1 without any; read in parts, which leave no memory taken."""
    largest = -1
    for start in range(0, len(tokens), _AT_ONCE):
        largest = max(largest, int(tokens[start : start + _AT_ONCE].max()))
        let_go(tokens)
    return largest


def let_go(tokens: NDArray[Any]) -> None:
    """Take mapped pages off the process's memory; the system may keep them, and reads them again.

    Otherwise a pass over the data would end with all of it counted as this process's.
    """
    mapped = getattr(tokens, "_mmap", None)  # a file that is too short to be mapped has none
    if mapped is not None and hasattr(mmap, "MADV_DONTNEED"):
        mapped.madvise(mmap.MADV_DONTNEED)


def _load(path: Path, mapped: bool) -> NDArray[Any]:
    try:
        # An empty file cannot be mapped.
        if mapped and path.stat().st_size > npy.ARRAY_ALIGN * 2:
            return np.load(path, mmap_mode="r", allow_pickle=False)
        return np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f"cannot read {path}: {error}; prepare the data again") from error
