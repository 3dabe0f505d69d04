"""Work that an interruption does not undo: a directory that becomes its output when it is whole.

``OUTPUT.unfinished`` lies beside the output. Its ``progress.json`` says what the work is of (text,
options, versions) and how far it has come; work of anything else starts anew.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import shutil
from collections.abc import Collection, Iterator
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

    def __init__(
        self, directory: Path, output: Path, task: dict[str, Any], progress: dict[str, Any]
    ) -> None:
        self.directory = directory
        self.progress = progress
        self._output = output
        self._task = task

    def describe(self, names: Collection[str]) -> dict[str, Any]:
        """Size and checksum of these files of the output, by name.

        Raises:
            UserError: if one that an earlier process completed is gone.
        """
        for name in names:
            if not (self.directory / name).is_file():
                raise UserError(f"{self.directory / name} is missing; give the command again")
        return {name: files.describe(self.directory / name) for name in names}

    def note(self, progress: dict[str, Any]) -> None:
        """Remember how far the work is; what it tells of has to be on the disk."""
        self.progress = progress
        noted = {"task": self._task, "progress": progress, "sha256": _checksum(progress)}
        files.write_json(self.directory / _PROGRESS, noted)

    def finish(self, names: Collection[str], *, replace: bool) -> None:
        """Let the directory become the output in one step.

        Args:
            names: the files of the output; the others served the work only.
            replace: as for ``files.put_directory``.
        """
        # Flushing takes long; until it is done, a process that is killed leaves its progress, and
        # another one is kept away.
        files.flush_all(self.directory)
        for path in list(self.directory.iterdir()):
            if path.name not in (*names, _PROGRESS, _LOCK):
                path.unlink()
        (self.directory / _PROGRESS).unlink(missing_ok=True)
        (self.directory / _LOCK).unlink()
        files.put_directory(self.directory, self._output, replace=replace)


@contextmanager
def unfinished(output: Path, task: dict[str, Any], names: Collection[str]) -> Iterator[Unfinished]:
    """Begin the work for ``output``, or take up that of an earlier process.

    An error of the user ends it for good: the directory is removed. What the system refuses, a
    killed process and an interruption leave it to be taken up.

    Args:
        output: what the work shall become; of a link, what it points to.
        task: what has to be equal for an earlier process's work to be of use; plain JSON.
        names: the files that the work may consist of; others are never removed.

    Raises:
        UserError: if another process is at it, or something else has the directory's name.
        WriteError: if the system refuses.
    """
    output = output.resolve()
    directory = output.with_name(output.name + _SUFFIX)
    with files.wording_errors(output):
        _refuse_foreign(directory, names)
        files.make_directory(directory)
        with (directory / _LOCK).open("a", encoding="utf-8") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise UserError(
                    f"another process is preparing {output}; wait for it, or name another directory"
                ) from error
            files.remove_unfinished(directory)
            progress = _read_progress(directory, task)
            if not progress:
                _empty(directory)
            try:
                yield Unfinished(directory, output, task, progress)
            except files.WriteError:
                raise
            except UserError:
                shutil.rmtree(directory, ignore_errors=True)
                raise


def _refuse_foreign(directory: Path, names: Collection[str]) -> None:
    """Leave alone what no earlier process can have written."""
    if directory.is_symlink() or (directory.exists() and not directory.is_dir()):
        raise UserError(f"{directory} is no directory, but the work goes there; move it away")
    for path in sorted(directory.iterdir()) if directory.is_dir() else ():
        known = path.name in (*names, _PROGRESS, _LOCK) or files.is_unfinished(path)
        if not known or path.is_symlink() or path.is_dir():
            raise UserError(f"{path} is no part of an unfinished preparation; move it away")


def _read_progress(directory: Path, task: dict[str, Any]) -> dict[str, Any]:
    with contextlib.suppress(UserError):
        noted = files.read_json(directory / _PROGRESS, "")
        progress: dict[str, Any] = noted.get("progress", {})
        if noted.get("task") == task and noted.get("sha256") == _checksum(progress):
            return progress
    return {}


def _checksum(progress: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(progress, sort_keys=True).encode()).hexdigest()


def _empty(directory: Path) -> None:
    for path in directory.iterdir():
        if path.name != _LOCK:
            path.unlink()
