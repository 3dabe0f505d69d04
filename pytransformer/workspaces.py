"""Scratch memory of the kernels: each thread keeps what its last calls needed for the next ones.

It is bounded (64 MiB a thread), and given back when a ``Transformer`` goes, or on demand.
"""

from __future__ import annotations

import sys
from types import ModuleType


def workspace_bytes() -> int:
    """What all threads keep at present, in bytes."""
    extension = _extension()
    return 0 if extension is None else extension.workspace_bytes()


def release_workspaces() -> None:
    """Give it back; memory of a kernel that is running, when that has finished."""
    extension = _extension()
    if extension is not None:
        extension.release_workspaces()


def _extension() -> ModuleType | None:
    # Where it has not been loaded, nothing is kept.
    return sys.modules.get("pytransformer._C")
