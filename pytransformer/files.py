"""Writing that leaves either the old state or the new one, and checksums to tell damage.

A file or a directory is written under a temporary name beside its place, flushed to the disk, and
renamed; the new name is flushed too, before anything that the old one meant is removed. A full
disk, an interruption, a crash or a power loss leaves what was there before, or what replaces it.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import hashlib
import json
import os
import re
import secrets
import shutil
import stat
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from pytransformer.errors import UserError

CHECKSUMS = "checksums.json"

# What `_beside` makes of a name: a process that was killed leaves such names behind.
_UNFINISHED = re.compile(r"\.(.+)\.[0-9a-f]{16}\.(?:tmp|old)")
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


class WriteError(UserError):
    """A file or a directory cannot be written; what was there before is unchanged.

    Attributes:
        reason: what the system said.
        errno: its number, as of an OSError.
    """

    def __init__(self, path: Path, reason: str, errno: int | None) -> None:
        super().__init__(f"cannot write {path}: {reason}; what was there before is unchanged")
        self.reason = reason
        self.errno = errno


@contextlib.contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Give a temporary name to write to; it becomes ``path`` when the block ends well.

    Raises:
        WriteError: if the system refuses (a full disk, missing permission); ``path`` is then as it
            was.
    """
    with wording_errors(path):
        make_directory(path.parent)
        temporary = _beside(path, ".tmp")
        temporary.touch(exist_ok=False)
        mode = temporary.stat().st_mode
        # Within a directory that has only a temporary name yet, that directory flushes all at once.
        alone = not any(_UNFINISHED.fullmatch(parent.name) for parent in path.parents)
        try:
            yield temporary
            temporary.chmod(stat.S_IMODE(mode))
            if alone:
                flush(temporary)
            temporary.replace(path)
            if alone:
                flush(path.parent)
        finally:
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_directory(path: Path, *, replace: bool = False) -> Iterator[Path]:
    """Give a temporary directory to fill; it becomes ``path`` when the block ends well.

    Args:
        path: absent, an empty directory, or with ``replace`` a directory whose whole content gives
            way to the new one.
        replace: whether the content of ``path`` may be replaced.

    Raises:
        UserError: if ``path`` is in the way.
        WriteError: if the system refuses (a full disk, missing permission); ``path`` is then as it
            was.
    """
    _refuse_occupied(path, replace)
    # A name through a link ("last") replaces what the link points to, not the link.
    path = path.resolve()
    with wording_errors(path):
        make_directory(path.parent)
        temporary = _beside(path, ".tmp")
        temporary.mkdir()
        try:
            yield temporary
            put_directory(temporary, path, replace=replace)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def put_directory(finished: Path, path: Path, *, replace: bool = False) -> None:
    """Let the directory ``finished`` become ``path`` in one step, when all of it is on the disk.

    Args:
        finished: a directory beside ``path``; its name is gone afterwards.
        path: as for ``atomic_directory``.
        replace: likewise.

    Raises:
        UserError: if ``path`` is in the way.
        OSError: if the system refuses; both are then as they were.
    """
    flush_all(finished)
    _refuse_occupied(path, replace)
    _put_in_place(finished, path)
    flush(path.parent)
    # After an exchange its name holds the former content.
    shutil.rmtree(finished, ignore_errors=True)


def flush_all(directory: Path) -> None:
    """Put a directory and all in it on the disk, each with the permissions of the directory."""
    mode = directory.stat().st_mode
    for root, _, names in os.walk(directory):
        for name in names:
            _finish(Path(root, name), mode & 0o666)
        _finish(Path(root), mode)


def atomic_link(path: Path, target: str) -> None:
    """Let ``path`` be a link to ``target``, in one rename if it was another link before."""
    temporary = _beside(path, ".tmp")
    temporary.symlink_to(target)
    temporary.replace(path)
    flush(path.parent)


def make_directory(path: Path) -> None:
    """Make a directory and its parents, where they are missing, to last."""
    missing = [place for place in (path, *path.parents) if not place.exists()]
    path.mkdir(parents=True, exist_ok=True)
    for place in missing:
        flush(place.parent)


def remove_directories(paths: Sequence[Path]) -> None:
    """Remove directories with what they hold: under its name, none is ever there in part."""
    hidden = [path.rename(_beside(path, ".tmp")) for path in paths]
    for parent in {path.parent for path in paths}:
        flush(parent)
    for path in hidden:
        shutil.rmtree(path)


def restore_former(directory: Path) -> None:
    """Give directories their names back that a process was killed between two renames of.

    Several processes may do so at the same time, but nobody may be writing there.
    """
    for path in list(directory.glob(".*.old")):
        if (match := _UNFINISHED.fullmatch(path.name)) and not (directory / match[1]).exists():
            with contextlib.suppress(OSError):  # another was faster; what is missing is named later
                path.rename(directory / match[1])


def remove_unfinished(directory: Path) -> None:
    """Remove what processes left in ``directory`` that were killed while they wrote.

    Nobody may be writing there meanwhile.
    """
    for path in list(directory.iterdir()):
        if not is_unfinished(path):
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def is_unfinished(path: Path) -> bool:
    """Whether it has the name of what is being written, or was by a process that was killed."""
    return _UNFINISHED.fullmatch(path.name) is not None


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 ``text`` to ``path`` atomically."""
    with atomic_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="")


def write_json(path: Path, value: object) -> None:
    """Write ``value`` as readable JSON (UTF-8, two spaces, keys in the given order) atomically."""
    text = json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False) + "\n"
    # A file's name may hold bytes that are no UTF-8; as `\udcff` they are JSON and come back.
    write_text(path, text.encode("utf-8", "backslashreplace").decode("utf-8"))


def read_json(path: Path, remedy: str) -> dict[str, Any]:
    """Read a JSON object.

    Args:
        path: the file.
        remedy: what the user can do, appended to the message.

    Raises:
        UserError: if the file is missing, is no JSON, or holds something else than an object.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read {path}: {_reason(error)}; {remedy}") from error
    except json.JSONDecodeError as error:
        raise UserError(
            f"{path}, line {error.lineno}: not valid JSON ({error.msg}); {remedy}"
        ) from error
    if not isinstance(value, dict):
        raise UserError(f"{path} holds a JSON {type(value).__name__}, expected an object; {remedy}")
    return value


def flush(path: Path) -> None:
    """Ask the system to put a file or a directory's entries on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        # Some network file systems refuse to flush a directory; its content is flushed already.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP) or not path.is_dir():
            raise
    finally:
        os.close(handle)


def sha256(path: Path) -> str:
    """The SHA-256 of a file's bytes in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def describe(path: Path) -> dict[str, Any]:
    """``{"bytes": ..., "sha256": ...}`` of a file, as ``check`` expects it."""
    return {"bytes": path.stat().st_size, "sha256": sha256(path)}


def check(path: Path, expected: Any, remedy: str, *, content: bool = True) -> None:
    """Compare a file with what ``describe`` said of it.

    Args:
        path: the file.
        expected: the result of ``describe`` when the file was written.
        remedy: what the user can do, appended to the message.
        content: whether to compare the checksum too, or only the size.

    Raises:
        UserError: naming the file and the difference.
    """
    if not isinstance(expected, dict) or not {"bytes", "sha256"} <= expected.keys():
        raise UserError(f"the listed size and checksum of {path} are damaged; {remedy}")
    if not path.is_file():
        raise UserError(f"{path} is missing; {remedy}")
    size = path.stat().st_size
    if size != expected["bytes"]:
        raise UserError(f"{path} has {size} bytes, but {expected['bytes']} were written; {remedy}")
    if content and sha256(path) != expected["sha256"]:
        raise UserError(f"{path} has changed since it was written (checksum differs); {remedy}")


def write_checksums(directory: Path, names: Iterable[str]) -> None:
    """Write ``checksums.json``: size and SHA-256 of each named file of ``directory``."""
    write_json(directory / CHECKSUMS, {name: describe(directory / name) for name in names})


def verify_checksums(directory: Path, remedy: str, required: Iterable[str] = ()) -> None:
    """Check every file that ``checksums.json`` lists; a directory without one passes.

    Args:
        directory: where the files lie.
        remedy: what the user can do, appended to the message.
        required: files that the list has to name.

    Raises:
        UserError: naming the first file that is missing, truncated, changed or not listed.
    """
    listing = directory / CHECKSUMS
    if not listing.exists():
        return
    listed = read_json(listing, remedy)
    for name, expected in listed.items():
        check(directory / name, expected, remedy)
    for name in required:
        if name not in listed:
            raise UserError(f"{listing} does not list {name}; {remedy}")


def _beside(path: Path, suffix: str) -> Path:
    """A hidden name in the same directory, and thus on the same disk, that nobody else has."""
    return path.with_name(f".{path.name}.{secrets.token_hex(8)}{suffix}")


def _finish(path: Path, mode: int) -> None:
    """Give a file or directory its permissions and put it on the disk.

    Some libraries write files that only their owner may read, whatever the system's default.
    """
    path.chmod(stat.S_IMODE(mode))
    flush(path)


def _refuse_occupied(path: Path, replace: bool) -> None:
    if path.exists() and not path.is_dir():
        raise UserError(f"{path} is a file; name a directory")
    if path.is_dir() and not replace and any(path.iterdir()):
        raise UserError(f"{path} exists and is not empty; name another directory or remove it")


def _put_in_place(temporary: Path, path: Path) -> None:
    """Rename onto ``path``; a directory with content changes places with the new one."""
    if not path.exists() or not any(path.iterdir()):
        temporary.rename(path)
    elif not _exchange(temporary, path):
        # Two renames: between them the former content lies under the second name.
        former = _beside(path, ".old")
        path.rename(former)
        try:
            temporary.rename(path)
        except OSError:
            former.rename(path)
            raise
        former.rename(temporary)


def _exchange(one: Path, other: Path) -> bool:
    """Let two directories change places in one step; False where the system cannot."""
    if sys.platform != "linux":
        return False
    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if renameat2 is None:
        return False
    result: int = renameat2(
        _AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE
    )
    return result == 0


@contextlib.contextmanager
def wording_errors(path: Path) -> Iterator[None]:
    """Turn the system's errors in the block into a ``WriteError`` that names ``path``."""
    try:
        yield
    except WriteError as error:
        # It names a file under the temporary name, which means nothing to the user.
        raise WriteError(path, error.reason, error.errno) from error
    except OSError as error:
        raise WriteError(path, _reason(error), error.errno) from error


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
