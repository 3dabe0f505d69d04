"""The log of a run once more, in the form that TensorBoard shows.

Nothing is measured for it: it is written from the lines of the log. A resumed run writes all of it
anew, from the lines that its log kept. To go on in the old file, with a step from which TensorBoard
shall forget (``purge_step``), would not be exact: events may repeat the checkpoint's own step, as a
validation does that a stopped run makes up for; a process that was killed leaves half an event; and
what a run logged before TensorBoard was asked for would be missing.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pytransformer.errors import UserError
from pytransformer.training import log
from pytransformer.training.errors import OutputError

_FILES = "events.out.tfevents."

_SCALARS = {
    "train": ("loss", "learning_rate", "grad_norm", "tokens_per_second", "padding_saved"),
    "valid": ("loss", "perplexity", "bleu"),
    "skip": ("skipped",),
}


def require_tensorboard() -> None:
    """Raise UserError, saying what to install, if the package is missing."""
    try:
        import torch.utils.tensorboard  # noqa: F401
    except ImportError as error:
        raise UserError(
            f"[training] tensorboard = true needs the package tensorboard ({error}); run: "
            "pip install tensorboard"
        ) from error


class Board:
    """An event file in a directory, written by one process.

    Each line of the log is an event of its step: scalars of ``train/`` and ``valid/`` by the names
    that they have in it, and the sample translations as texts. Its time of day is that of the run's
    own clock, which stands still while the run does not train.
    """

    def __init__(self, directory: Path, seconds: float) -> None:
        """Begin a file; those that are there stay until ``rewrite`` is done.

        Args:
            directory: made if it is missing.
            seconds: what the run's clock shows now.

        Raises:
            OutputError: if it cannot be written.
        """
        # Imported here: it is optional, and takes a while.
        from torch.utils.tensorboard import RecordWriter

        self._directory = directory
        self._began = time.time() - seconds
        # TensorBoard reads files in the order of their names.
        self._path = directory / f"{_FILES}{time.time_ns()}"
        with self._wording_errors():
            directory.mkdir(parents=True, exist_ok=True)
            self._file = self._path.open("wb")
        self._records = RecordWriter(self._file)

    def rewrite(self, records: Iterable[dict[str, Any]]) -> None:
        """Begin with these lines of the log, in place of all that was written before.

        Raises:
            UserError: if one is damaged.
            OutputError: if the disk is full.
        """
        from tensorboard.compat.proto.event_pb2 import SessionLog

        with self._wording_errors():
            self._add(0.0, file_version="brain.Event:2")
            # A TensorBoard that has read earlier files forgets them.
            self._add(0.0, step=0, session_log=SessionLog(status=SessionLog.START))
            for record in records:
                self._write(record)
            self._file.flush()
            for path in self._directory.glob(f"{_FILES}*"):
                if path != self._path:
                    _discard(path)

    def write(self, record: dict[str, Any]) -> None:
        """Add a line of the log, and hand it to the operating system.

        Raises:
            OutputError: if the disk is full.
        """
        with self._wording_errors():
            self._write(record)
            self._file.flush()

    def close(self) -> None:
        """Close the file; what could not be written was reported before."""
        with contextlib.suppress(OSError):
            self._file.close()

    def _write(self, record: dict[str, Any]) -> None:
        from tensorboard.compat.proto.summary_pb2 import Summary

        try:
            shown = Summary(value=[*_scalars(record), *_texts(record)])
            self._add(record["seconds"], step=int(record["step"]), summary=shown)
        except ValueError as error:
            raise UserError(
                f"[training] tensorboard: the line of the log at update {record['step']} is "
                f"damaged: {error}; remove it"
            ) from error

    def _add(self, seconds: float, **content: Any) -> None:
        from tensorboard.compat.proto.event_pb2 import Event

        event = Event(wall_time=self._began + seconds, **content)
        self._records.write(event.SerializeToString())

    @contextlib.contextmanager
    def _wording_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise OutputError(f"cannot write {self._path}: {error.strerror}", error) from error


def _discard(path: Path) -> None:
    """Empty a file; remove it the next time.

    A TensorBoard that is reading it goes on to the next file from its end, but stays with one that
    is gone.
    """
    if path.stat().st_size:
        os.truncate(path, 0)
    else:
        path.unlink()


def _scalars(record: dict[str, Any]) -> list[Any]:
    """Those of a line; an earlier release may have logged fewer."""
    from tensorboard.compat.proto.summary_pb2 import Summary

    kind = record["kind"]
    group = "train" if kind == "skip" else kind
    return [
        Summary.Value(tag=f"{group}/{key}", simple_value=log.number(record, key))
        for key in _SCALARS.get(kind, ())
        if key in record
    ]


def _texts(record: dict[str, Any]) -> list[Any]:
    from torch.utils.tensorboard.summary import text

    samples = record.get("samples", [])
    if not isinstance(samples, list) or not all(isinstance(one, dict) for one in samples):
        raise ValueError("samples is no list of objects")
    values: list[Any] = []
    for number, sample in enumerate(samples, start=1):
        # Indented, it is shown as it is: a star in a sentence is no markup.
        shown = "\n".join(f"    {name:12} {value}" for name, value in sample.items())
        values += text(f"samples/{number}", shown).value
    return values
