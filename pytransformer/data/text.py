"""Reading parallel text: plain or gzip, one sentence per line, strict UTF-8."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import IO

from pytransformer.errors import UserError

_BOM = b"\xef\xbb\xbf"


def read_lines(path: Path) -> Iterator[str]:
    r"""The lines of a text file, without their ends.

    Only ``\n`` ends a line (and takes a ``\r`` before it along), so that other characters that
    Unicode counts as line ends cannot shift one side of a parallel text against the other.

    Args:
        path: a UTF-8 file, with or without a byte order mark; compressed if it ends in ``.gz``.

    Raises:
        UserError: if the file cannot be read, is damaged, or is not UTF-8 (with the line number).
    """
    number = 0
    try:
        with _open(path) as file:
            for number, raw in enumerate(file, start=1):
                if number == 1:
                    raw = raw.removeprefix(_BOM)
                yield raw.removesuffix(b"\n").removesuffix(b"\r").decode("utf-8")
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path}, line {number}: not valid UTF-8 (byte 0x{error.object[error.start]:02x} at "
            f"byte {error.start + 1} of the line); convert the file to UTF-8"
        ) from error
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise UserError(
            f"{path}, after line {number}: damaged gzip file ({error}); fetch it again"
        ) from error
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from error


def read_pairs(source: Path, target: Path) -> Iterator[tuple[str, str]]:
    """Line by line, a sentence and its translation.

    Raises:
        UserError: as ``read_lines``; or, at the end, if the files differ in their number of lines.
    """
    pairs = count_source = count_target = 0
    for left, right in zip_longest(read_lines(source), read_lines(target)):
        if left is not None and right is not None:
            pairs += 1
            yield left, right
        else:
            count_source += left is not None
            count_target += right is not None
    if count_source or count_target:
        raise UserError(
            f"{source} has {pairs + count_source} lines, but {target} has "
            f"{pairs + count_target}; line n of one must be the translation of line n of the other"
        )


def _open(path: Path) -> IO[bytes] | gzip.GzipFile:
    if path.suffix == ".gz":
        return gzip.open(path, "rb")
    return path.open("rb")
