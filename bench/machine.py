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

from bench import cuda
from bench.case import CPU
from pytransformer import _C

TCMALLOC = "tcmalloc"

_ROUNDS = 200_000
_COPIED_BYTES = 256 << 20
_REPEATS = 7
_WATCHED_SECONDS = 0.5
_BUSY_LOAD = 0.5  # of the cores
_BUSY_CORES = 0.2


@dataclass(frozen=True)
class Machine:
    """Where a report was made.

    Attributes:
        processor: its name.
        cores: how many this process may use.
        threads: torch's number of threads.
        instruction_set: of our kernels.
        allocator: ``malloc``, or ``tcmalloc`` when that is preloaded; it serves both sides.
        torch, python, compiler: versions; the compiler is that of our kernels.
        gpu: the CUDA device that computes, and its driver; empty where the CPU does.
    """

    processor: str
    cores: int
    threads: int
    instruction_set: str
    allocator: str
    torch: str
    python: str
    compiler: str
    gpu: str = ""


def describe(device: torch.device = CPU) -> Machine:
    """This machine and process, where ``device`` computes."""
    return Machine(
        processor=_processor(),
        cores=len(os.sched_getaffinity(0)),
        threads=torch.get_num_threads(),
        instruction_set=_C.isa(),
        allocator=allocator(),
        torch=torch.__version__,
        python=platform.python_version(),
        compiler=_compiler(device),
        gpu=cuda.describe() if device.type == "cuda" else "",
    )


def _compiler(device: torch.device) -> str:
    built = _C.build_information()
    return built["compiler"] if device.type == "cpu" else f"CUDA {built['cuda']}"


def allocator() -> str:
    """``malloc``, or ``tcmalloc`` when that is preloaded."""
    return TCMALLOC if "libtcmalloc" in Path("/proc/self/maps").read_text() else "malloc"


def disturbance() -> str:
    """A warning where other programs keep the machine busy; empty where it is quiet."""
    return warning(os.getloadavg()[0], _used_by_others(), os.cpu_count() or 1)


def warning(load: float, used: float, cores: int) -> str:
    """What to say of a load average and of the cores that others use, out of ``cores``."""
    signs = []
    if load > _BUSY_LOAD * cores:
        signs.append(f"the load average is {load:.1f} on {cores} cores")
    if used > _BUSY_CORES:
        signs.append(f"other programs use {used:.1f} cores")
    return f"warning: {' and '.join(signs)}: figures are disturbed" if signs else ""


def _used_by_others() -> float:
    """How many cores were at work while this process slept."""
    began, busy = time.perf_counter(), _busy_seconds()
    time.sleep(_WATCHED_SECONDS)
    return (_busy_seconds() - busy) / (time.perf_counter() - began)


def _busy_seconds() -> float:
    """What all cores have worked since the machine started."""
    names = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
    values = Path("/proc/stat").read_text().splitlines()[0].split()[1:]
    ticks = dict(zip(names, map(int, values), strict=False))
    busy = sum(ticks.values()) - ticks["idle"] - ticks["iowait"]
    return busy / os.sysconf("SC_CLK_TCK")


@cache
def peak_operations(dtype: str, device: torch.device = CPU) -> float:
    """Floating-point operations per second: on the CPU those of all threads, on registers alone;
    on a CUDA device those of the best matrix product.

    A build without products of bfloat16 pairs has the peak of float32 for both.
    """
    if device.type == "cuda":
        return cuda.peak_operations(dtype)
    return _best(lambda: _C.peak(dtype, _ROUNDS))


@cache
def peak_bandwidth(device: torch.device = CPU) -> float:
    """Bytes per second, read and written, of a copy that no cache holds."""
    if device.type == "cuda":
        return cuda.peak_bandwidth()
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
