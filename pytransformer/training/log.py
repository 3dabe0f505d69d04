"""The log of a run: one JSON object per line, appended as it happens; and reading it."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TextIO

from pytransformer.errors import UserError
from pytransformer.training.errors import OutputError

if TYPE_CHECKING:
    from pytransformer.training.board import Board

NAME = "log.jsonl"

_PLACES = ("step", "epoch", "seconds")


class Log:
    """``log.jsonl`` of a run, open for appending, by one process at a time.

    Each line has ``kind`` (``train``, ``skip`` or ``valid``), ``step`` (updates made), ``epoch``
    (passes over the data, the begun one as a fraction), and what its kind adds.
    """

    def __init__(self, path: Path, keep_lines: int = 0) -> None:
        """Open the log and drop every line after the first ``keep_lines``.

        A resumed run repeats the updates after its checkpoint, so their first lines go: the log
        has neither gaps nor repeats. A log that has become shorter than that is continued;
        ``lines`` tells.

        Raises:
            UserError: if another process has the log open.
            OutputError: if it cannot be written.
        """
        self._path = path
        self._board: Board | None = None
        try:
            self._file = path.open("a", encoding="utf-8")
            _lock(self._file, path.parent)
            self.lines = _truncate(path, keep_lines)
        except OSError as error:
            raise OutputError(f"cannot write {path}: {error.strerror}", error) from error

    def follow(self, board: Board) -> None:
        """Let ``board`` show every line: those that there are, and those to come.

        Raises:
            UserError: if a line is damaged.
            OutputError: if the disk is full.
        """
        self._board = board
        board.rewrite(read(self._path))

    def write(self, kind: str, step: int, epoch: float, **values: Any) -> None:
        """Append one line and hand it to the operating system, so that others can follow.

        Raises:
            OutputError: if the disk is full.
        """
        record = {"kind": kind, "step": step, "epoch": epoch, **values}
        try:
            self._file.write(json.dumps(record, allow_nan=False) + "\n")
            self._file.flush()
        except OSError as error:
            raise OutputError(f"cannot write {self._path}: {error.strerror}", error) from error
        self.lines += 1
        if self._board:
            self._board.write(record)

    def flush(self) -> None:
        """Put all lines on the disk, as what counts them has to be able to rely on them.

        Raises:
            OutputError: if the disk is full.
        """
        try:
            os.fsync(self._file.fileno())
        except OSError as error:
            raise OutputError(f"cannot write {self._path}: {error.strerror}", error) from error

    def __enter__(self) -> Log:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._board:
            self._board.close()
        # It tries again to write what it could not: that was reported.
        with contextlib.suppress(OSError):
            self._file.close()


def read(path: Path) -> Iterator[dict[str, Any]]:
    """The lines of a log, which a run may be writing: a last one that is not whole yet is left out.

    Each has ``kind``, a string, and ``step``, ``epoch`` and ``seconds``, numbers; ``number`` reads
    the others.

    Raises:
        UserError: if the file cannot be read, or a line is no such object; the message names it.
    """
    try:
        with path.open("rb") as file:
            for count, line in enumerate(file, start=1):
                if line.endswith(b"\n"):
                    yield _parse(line, f"{path}, line {count}")
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error


def number(record: dict[str, Any], key: str) -> float:
    """A number of a line; NaN and infinity are strings in it.

    Raises:
        ValueError: if the line has none of this name.
    """
    value = record.get(key)
    if type(value) is float or (type(value) is int and abs(value) < 2**63):
        return float(value)
    if value in ("nan", "inf", "-inf"):
        return float(value)
    raise ValueError(f"{key} is {value!r}, which is no number")


def _parse(line: bytes, place: str) -> dict[str, Any]:
    try:
        record = json.loads(line)
        if not isinstance(record, dict) or not isinstance(record.get("kind"), str):
            raise ValueError("it is no object with a kind")
        for key in _PLACES:
            if not number(record, key) >= 0:
                raise ValueError(f"{key} is {record[key]!r}")
    except (ValueError, RecursionError) as error:
        raise UserError(f"{place} is damaged: {error}; remove the line") from error
    return record


class NoLog(Log):
    """What a process writes that is not the one to write: it goes nowhere and locks nobody out."""

    def __init__(self) -> None:
        self._path = Path(os.devnull)
        self._board = None
        self._file = self._path.open("a", encoding="utf-8")
        self.lines = 0


def _lock(file: TextIO, output: Path) -> None:
    """Keep other processes out of the run until the file is closed or this process ends."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.close()
        raise UserError(
            f"another process is training into {output}; wait for it, stop it, or name another "
            "[training] output"
        ) from error
    except OSError as error:
        # Some network file systems know no locks.
        if error.errno not in (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP):
            raise


def _truncate(path: Path, keep_lines: int) -> int:
    """Cut the file after ``keep_lines`` whole lines; returns how many it has then."""
    kept, end = 0, 0
    with path.open("r+b") as file:
        for line in file:
            if kept == keep_lines or not line.endswith(b"\n"):
                break
            kept, end = kept + 1, end + len(line)
        file.truncate(end)
    return kept
