"""The machine: what it is, and the most it can do."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch

from pytransformer import _C

_ROUNDS = 200_000
_COPIED_BYTES = 256 << 20
_REPEATS = 7


@dataclass(frozen=True)
class Machine:
    """Where a report was made.

    Attributes:
        processor: its name.
        cores: how many this process may use.
        threads: torch's number of threads.
        instruction_set: of our kernels.
        allocator: ``malloc``, or ``tcmalloc`` when that is preloaded; it serves both sides.
        torch, python: versions.
    """

    processor: str
    cores: int
    threads: int
    instruction_set: str
    allocator: str
    torch: str
    python: str


def describe() -> Machine:
    """This machine and process."""
    return Machine(
        processor=_processor(),
        cores=len(os.sched_getaffinity(0)),
        threads=torch.get_num_threads(),
        instruction_set=_C.isa(),
        allocator="tcmalloc" if "tcmalloc" in Path("/proc/self/maps").read_text() else "malloc",
        torch=torch.__version__,
        python=platform.python_version(),
    )


@cache
def peak_operations(dtype: str) -> float:
    """Floating-point operations per second of all threads, on registers alone.

    A build without products of bfloat16 pairs has the peak of float32 for both.
    """
    return _best(lambda: _C.peak(dtype, _ROUNDS))


@cache
def peak_bandwidth() -> float:
    """Bytes per second, read and written, of a copy that no cache holds."""
    source = torch.zeros(_COPIED_BYTES // 4)
    target = torch.zeros_like(source)

    def copy() -> float:
        target.copy_(source)
        return 2.0 * _COPIED_BYTES

    return _best(copy)


def _best(work: Callable[[], float]) -> float:
    """The highest rate of several runs; ``work`` returns how much it did."""
    rates = []
    for _ in range(_REPEATS):
        began = time.perf_counter()
        done = work()
        rates.append(done / (time.perf_counter() - began))
    return max(rates)


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
