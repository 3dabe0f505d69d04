"""Work that an interruption does not undo: a directory that becomes its output when it is whole.

``OUTPUT.unfinished`` lies beside the output. Its ``progress.json`` says what the work is of (text,
options, versions) and how far it has come; work of anything else starts anew.
"""

from __future__ import annotations

import contextlib
import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pytransformer import files
from pytransformer.errors import UserError

_PROGRESS = "progress.json"
_LOCK = "lock"
_SUFFIX = ".unfinished"


class Unfinished:
    """The directory while it is worked on.

    Attributes:
        directory: where to write.
        progress: how far an earlier process came, as it noted; empty at the beginning.
    """

    def __init__(self, directory: Path, task: dict[str, Any], progress: dict[str, Any]) -> None:
        self.directory = directory
        self.progress = progress
        self._task = task

    def files(self) -> list[Path]:
        """What was written for the output so far, by name."""
        return sorted(
            path for path in self.directory.iterdir() if path.name not in (_PROGRESS, _LOCK)
        )

    def note(self, progress: dict[str, Any]) -> None:
        """Remember how far the work is; what it tells of has to be on the disk."""
        self.progress = progress
        files.write_json(self.directory / _PROGRESS, {"task": self._task, "progress": progress})

    def finish(self, output: Path, *, replace: bool) -> None:
        """Let the directory become ``output`` in one step."""
        (self.directory / _PROGRESS).unlink(missing_ok=True)
        (self.directory / _LOCK).unlink()
        files.put_directory(self.directory, output, replace=replace)


@contextmanager
def unfinished(output: Path, task: dict[str, Any]) -> Iterator[Unfinished]:
    """Begin the work for ``output``, or take up that of an earlier process.

    An error of the user ends it for good: the directory is removed. What the system refuses, a
    killed process and an interruption leave it to be taken up.

    Args:
        output: what the work shall become.
        task: what has to be equal for an earlier process's work to be of use; plain JSON.

    Raises:
        UserError: if another process is at it.
        WriteError: if the system refuses.
    """
    output = output.resolve()
    directory = output.with_name(output.name + _SUFFIX)
    with files.wording_errors(output):
        files.make_directory(directory)
        with (directory / _LOCK).open("w", encoding="utf-8") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise UserError(
                    f"another process is preparing {output}; wait for it, or name another directory"
                ) from error
            progress = _read_progress(directory, task)
            if not progress:
                _empty(directory)
            try:
                yield Unfinished(directory, task, progress)
            except files.WriteError:
                raise
            except UserError:
                shutil.rmtree(directory, ignore_errors=True)
                raise


def _read_progress(directory: Path, task: dict[str, Any]) -> dict[str, Any]:
    with contextlib.suppress(UserError):
        noted = files.read_json(directory / _PROGRESS, "")
        if noted.get("task") == task and isinstance(noted.get("progress"), dict):
            progress: dict[str, Any] = noted["progress"]
            return progress
    return {}


def _empty(directory: Path) -> None:
    for path in directory.iterdir():
        if path.name == _LOCK:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
