"""How much memory a piece of work needs, as the system sees it."""

from __future__ import annotations

import ctypes
import gc
import resource
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

_SINCE_START = (
    "this system does not reset the peak of a process: it is that since the process began"
)


@dataclass(frozen=True)
class Growth:
    """How far resident memory rose, in bytes; ``note`` says what is wrong with it, if anything."""

    bytes: int
    note: str = ""

    @property
    def megabytes(self) -> float:
        return self.bytes / 1e6


def peak_growth(work: Callable[[], object]) -> Growth:
    """The most resident memory while ``work`` runs, above that before it."""
    gc.collect()
    _return_what_is_free()
    before = _status("VmRSS")
    try:
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    except OSError:
        work()
        return Growth(
            resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before, _SINCE_START
        )
    work()
    return Growth(_status("VmHWM") - before)


def _return_what_is_free() -> None:
    """Give freed memory back to the system: the work would take it without being seen to."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "malloc_trim"):
        libc.malloc_trim(0)


def _status(name: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        key, _, value = line.partition(":")
        if key == name:
            return int(value.split()[0]) * 1024
    raise RuntimeError(f"/proc/self/status has no {name}")
