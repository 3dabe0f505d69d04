"""The same comparison with tcmalloc, which many preload to speed torch up on the CPU.

An allocator serves a whole process, so that these cases run in another one, where both sides have
it. As a program: ``python -m bench.tcmalloc BENCHMARK FUNCTION SECONDS`` prints rows as JSON.
"""

from __future__ import annotations

import ctypes.util
import importlib
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

from bench.case import OURS
from bench.child import Unavailable, run_child
from bench.machine import TCMALLOC, allocator
from bench.row import Row
from bench.settings import Settings
from bench.timing import alternate

_LIBRARIES = ("tcmalloc_minimal", "tcmalloc")
_DIRECTORIES = ("/usr/lib", "/usr/lib64", "/usr/local/lib")


def library() -> str | None:
    """What to preload: a name that the loader finds, or a path."""
    for name in _LIBRARIES:
        if found := ctypes.util.find_library(name):
            return found
    for name in _LIBRARIES:
        for directory in map(Path, _DIRECTORIES):
            for pattern in (f"lib{name}.so*", f"*/lib{name}.so*"):
                if paths := sorted(directory.glob(pattern)):
                    return str(paths[0])
    return None


def rows_with_tcmalloc(benchmark: str, function: str, settings: Settings) -> Iterator[Row]:
    """The cases of ``bench.<benchmark>.<function>()``; each peer's name tells of the allocator.

    Raises:
        Unavailable: where tcmalloc is not installed.
    """
    if allocator() == TCMALLOC:
        raise Unavailable("tcmalloc: this process has it already, and so have both sides above")
    preload = library()
    if preload is None:
        raise Unavailable(
            "tcmalloc: not installed, so that nothing is compared with it; on Debian and Ubuntu: "
            "sudo apt install libtcmalloc-minimal4"
        )
    arguments = (benchmark, function, str(settings.seconds))
    for values in run_child("bench.tcmalloc", *arguments, preload=preload):
        row = Row.from_dict(values)
        timings = {
            side if side == OURS else f"{side}+{TCMALLOC}": timing
            for side, timing in row.timings.items()
        }
        yield replace(row, timings=timings)


def main(benchmark: str, function: str, seconds: str) -> None:
    """Check and time the cases in this process."""
    # The loader only warns of a library that it cannot preload.
    if allocator() != TCMALLOC:
        sys.exit("tcmalloc could not be preloaded")
    rows = []
    for case in getattr(importlib.import_module(f"bench.{benchmark}"), function)():
        case.check()
        rows.append(Row.of(benchmark, case, alternate(case.sides, float(seconds)), allocator()))
    print(json.dumps([asdict(row) for row in rows]))


if __name__ == "__main__":
    main(*sys.argv[1:])
