"""Sequences of different length in two flat files: all tokens end to end, and where each begins.

``{stem}.tokens.npy`` is uint16 or uint32 ``[tokens]``; ``{stem}.offsets.npy`` is int64
``[sequences + 1]``. Both are plain NumPy files that can be mapped into memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from pytransformer.errors import UserError


def token_dtype(vocab_size: int) -> np.dtype[Any]:
    """The smallest dtype that holds every id of a vocabulary."""
    return np.dtype(np.uint16 if vocab_size <= 2**16 else np.uint32)


def token_file(stem: Path) -> Path:
    """The file of the tokens."""
    return stem.with_name(stem.name + ".tokens.npy")


def offset_file(stem: Path) -> Path:
    """The file of the offsets."""
    return stem.with_name(stem.name + ".offsets.npy")


class RaggedWriter:
    """Writes the two files chunk by chunk, so that the text may be larger than the memory.

    Use it as a context manager; the files are complete when it has been left without an error.
    """

    def __init__(self, stem: Path, dtype: np.dtype[Any]) -> None:
        self._stem = stem
        self._dtype = dtype
        self._lengths: list[NDArray[np.int64]] = [np.zeros(1, np.int64)]
        self._file = token_file(stem).open("wb")
        self._tokens = 0
        self._write_header()

    def append(self, sequences: Sequence[Sequence[int]]) -> None:
        """Add sequences at the end."""
        lengths = np.array([len(sequence) for sequence in sequences], np.int64)
        count = int(lengths.sum())
        tokens = np.fromiter(chain.from_iterable(sequences), self._dtype, count)
        self._file.write(tokens.tobytes())
        self._lengths.append(lengths)
        self._tokens += count

    def __enter__(self) -> RaggedWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._file:
            if kind is None:
                self._write_header()
        if kind is None:
            np.save(offset_file(self._stem), np.concatenate(self._lengths).cumsum())

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


def _load(path: Path, mapped: bool) -> NDArray[Any]:
    try:
        # An empty file cannot be mapped.
        if mapped and path.stat().st_size > npy.ARRAY_ALIGN * 2:
            return np.load(path, mmap_mode="r", allow_pickle=False)
        return np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f"cannot read {path}: {error}; prepare the data again") from error
