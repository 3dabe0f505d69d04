"""What a disk may hold after a power loss, from a record of what a program did to it.

The record is of what the program's directory was seen to hold before and after each call that
matters, so that it does not depend on who wrote: a library's own code, or ours. What appears
between two calls was created or written in between; names that vanish or move there are an error,
as then a call was not watched.

The disk is a pessimistic one. What was written to a file since it was last flushed may be there as
a whole, in part, as zeros of the right length, or not at all. A change of names may have happened
or not, whatever became of others, until its directory is flushed; but it never comes before an
earlier change of the same names or the same file, and one call happens as a whole.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from pytransformer import files

ROOT = 0

_CALLS_OF_OS = (
    "fsync", "fdatasync", "truncate", "ftruncate", "rename", "replace", "link", "symlink",
    "unlink", "remove", "mkdir", "rmdir",
)  # fmt: skip


@dataclass(frozen=True)
class Written:
    """File ``node`` holds ``content`` from here on."""

    node: int
    content: bytes


@dataclass(frozen=True)
class Named:
    """Names in directories mean other nodes (None: nothing) from here on, all at once."""

    changes: tuple[tuple[int, str, int | None], ...]

    @property
    def touched(self) -> set[tuple[int, str] | int]:
        """What an earlier change must not touch and come later: names and nodes."""
        names = {(directory, name) for directory, name, _ in self.changes}
        return {*names, *(node for _, _, node in self.changes if node is not None)}


@dataclass(frozen=True)
class Flushed:
    """The content of file ``node``, or the names in that directory, are on the disk."""

    node: int


@dataclass(frozen=True)
class Promised:
    """From here on the program relies on ``value``."""

    value: Any


Event = Written | Named | Flushed | Promised


class Record:
    """Of one directory.

    Attributes:
        events: what happened, in its order.
        links: the targets of symbolic links, by node; a link and its target are one.
        directories: the nodes that are directories.
    """

    def __init__(self, root: Path) -> None:
        self.events: list[Event] = []
        self.links: dict[int, str] = {}
        self.directories = {ROOT}
        self._root = root
        self._nodes: dict[int, int] = {}  # by inode number
        self._count = ROOT
        self._names: dict[tuple[int, str], int] = {}
        self._content: dict[int, bytes] = {}

    def promise(self, value: Any) -> None:
        """Note that the program relies on ``value`` from here on."""
        self.events.append(Promised(value))

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Within the block all calls of this process are watched."""
        with ExitStack() as stack:
            for name in _CALLS_OF_OS:
                stack.enter_context(self._watch(os, name))
            stack.enter_context(self._watch(files, "_exchange"))
            yield
            self._look(watched=False)

    def _watch(self, module: Any, name: str) -> Any:
        call: Callable[..., Any] = getattr(module, name)

        def watched(*arguments: Any, **options: Any) -> Any:
            self._look(watched=False)
            node = self._flushed(arguments[0]) if name in ("fsync", "fdatasync") else None
            result = call(*arguments, **options)
            self._look(watched=True)
            if node is not None:
                self.events.append(Flushed(node))
            return result

        return mock.patch.object(module, name, watched)

    def _flushed(self, handle: int) -> int | None:
        inode = os.fstat(handle).st_ino
        return ROOT if inode == self._root.stat().st_ino else self._nodes.get(inode)

    def _look(self, watched: bool) -> None:
        """Add what has changed since the last look: by one call, or by unwatched ones."""
        names: dict[tuple[int, str], int] = {}
        nodes: dict[int, int] = {}
        content: dict[int, bytes] = {}
        self._walk(self._root, ROOT, names, nodes, content)
        changes = [
            (*name, names.get(name))
            for name in {**self._names, **names}
            if names.get(name) != self._names.get(name)
        ]
        if changes and watched:
            self.events.append(Named(tuple(changes)))
        for change in changes if not watched else ():
            new = change[2] is not None and change[2] not in self._names.values()
            assert new, f"a call that is not watched changed {change}"
            self.events.append(Named((change,)))
        for node, value in content.items():
            if value != self._content.get(node, b""):
                self.events.append(Written(node, value))
        self._names, self._nodes, self._content = names, nodes, content

    def _walk(
        self,
        directory: Path,
        node: int,
        names: dict[tuple[int, str], int],
        nodes: dict[int, int],
        content: dict[int, bytes],
    ) -> None:
        for entry in sorted(os.scandir(directory), key=lambda entry: entry.name):
            child = self._nodes.get(entry.inode())
            if child is None:
                self._count += 1
                child = self._count
            nodes[entry.inode()] = child
            names[node, entry.name] = child
            if entry.is_symlink():
                self.links[child] = str(Path(entry.path).readlink())
            elif entry.is_dir():
                self.directories.add(child)
                self._walk(Path(entry.path), child, names, nodes, content)
            else:
                content[child] = Path(entry.path).read_bytes()


class Choice:
    """What survives of what was not flushed."""

    def survives(self, index: int) -> bool:
        """Whether the change of names at ``index`` of the events does."""
        raise NotImplementedError

    def content(self, versions: Sequence[bytes]) -> bytes:
        """What a file holds of which ``versions[0]`` was flushed and the others were not."""
        raise NotImplementedError


class Extreme(Choice):
    """All changes of names or none; all of what was written or nothing."""

    def __init__(self, names: bool, content: bool) -> None:
        self._names = names
        self._content = content

    def survives(self, index: int) -> bool:
        return self._names

    def content(self, versions: Sequence[bytes]) -> bytes:
        return versions[-1] if self._content else versions[0]


class Drawn(Choice):
    """By chance: names with the given probability."""

    def __init__(self, chooser: random.Random, probability: float) -> None:
        self._chooser = chooser
        self._probability = probability

    def survives(self, index: int) -> bool:
        return self._chooser.random() < self._probability

    def content(self, versions: Sequence[bytes]) -> bytes:
        version = self._chooser.choice(versions)
        kept = versions[0] if version.startswith(versions[0]) else b""
        cut = self._chooser.randint(len(kept), len(version))
        zeros = b"\0" * (len(version) - cut)
        return self._chooser.choice([version, version[:cut], version[:cut] + zeros])


Tree = dict[str, bytes | str | None]  # by path: a file's bytes, a link's target, a directory


def disk_after(record: Record, count: int, choice: Choice) -> Tree:
    """What the disk holds if power is lost after the first ``count`` events."""
    events = record.events[:count]
    names: dict[tuple[int, str], int] = {}
    lost: set[tuple[int, str] | int] = set()
    for index, event in enumerate(events):
        if not isinstance(event, Named):
            continue
        directories = {directory for directory, _, _ in event.changes}
        flushed = {later.node for later in events[index:] if isinstance(later, Flushed)}
        survives = directories <= flushed or (not event.touched & lost and choice.survives(index))
        if not survives:
            lost |= event.touched
            continue
        for directory, name, node in event.changes:
            if node is None:
                names.pop((directory, name), None)
            else:
                names[directory, name] = node
    return _tree(record, names, _contents(events, choice))


def _contents(events: Sequence[Event], choice: Choice) -> dict[int, bytes]:
    versions: dict[int, list[bytes]] = {}
    for event in events:
        if isinstance(event, Written):
            versions.setdefault(event.node, [b""]).append(event.content)
        elif isinstance(event, Flushed) and event.node in versions:
            del versions[event.node][:-1]
    return {
        node: choice.content(several) if len(several) > 1 else several[0]
        for node, several in versions.items()
    }


def _tree(record: Record, names: dict[tuple[int, str], int], contents: dict[int, bytes]) -> Tree:
    tree: Tree = {}

    def add(directory: int, prefix: str) -> None:
        for (parent, name), node in names.items():
            if parent != directory:
                continue
            if node in record.directories:
                tree[prefix + name] = None
                add(node, f"{prefix}{name}/")
            else:
                tree[prefix + name] = record.links.get(node) or contents.get(node, b"")

    add(ROOT, "")
    return dict(sorted(tree.items()))


def promised_at(record: Record, count: int) -> Any:
    """The last promise among the first ``count`` events; None before the first."""
    promises = [event.value for event in record.events[:count] if isinstance(event, Promised)]
    return promises[-1] if promises else None


def write_tree(tree: Tree, root: Path) -> None:
    """Make ``root`` hold it; parents come before what they hold."""
    for name, value in tree.items():
        path = root / name
        if value is None:
            path.mkdir()
        elif isinstance(value, str):
            path.symlink_to(value)
        else:
            path.write_bytes(value)
