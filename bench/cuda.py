"""Measuring on a CUDA device: by events in its stream, with inputs that its cache does not hold."""

from __future__ import annotations

import gc
import itertools
import math
import shutil
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache

import torch
from torch import Tensor

from bench.timing import Timing, in_turn

_WARMUP = 3
_FEWEST_ROUNDS = 10
_SHORT = 2e-4  # seconds; shorter calls are timed several together
_MOST_TOGETHER = 20
_CACHES = 3  # copies of inputs fill the cache so many times
_MOST_COPIES = 64
_CYCLES_PER_SECOND = 2e9  # at most, of a multiprocessor
_LONGEST_HEAD_START = 0.02  # seconds


def describe() -> str:
    """The current device and what drives it."""
    device = torch.cuda.get_device_properties(torch.cuda.current_device())
    return (
        f"{device.name}, compute capability {device.major}.{device.minor}, "
        f"{device.multi_processor_count} multiprocessors, {device.total_memory / 2**30:.0f} GiB, "
        f"{device.L2_cache_size / 2**20:.0f} MiB of L2; driver {_driver()}"
    )


def _driver() -> str:
    if (tool := shutil.which("nvidia-smi")) is None:
        return "unknown"
    command = [tool, "--query-gpu=driver_version", "--format=csv,noheader"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    return (found.stdout.split() or ["unknown"])[0]


@cache
def peak_operations(dtype: str) -> float:
    """Floating-point operations per second of torch's (cuBLAS's) best matrix product."""
    size = 8192 if dtype == "bfloat16" else 4096
    a, b = (torch.randn(size, size, device="cuda").to(getattr(torch, dtype)) for _ in range(2))
    return 2.0 * size**3 / _shortest(lambda: torch.mm(a, b))


@cache
def peak_bandwidth() -> float:
    """Bytes per second, read and written, of a copy that no cache holds."""
    source = torch.zeros(1 << 30, dtype=torch.uint8, device="cuda")
    target = torch.zeros_like(source)
    return 2.0 * source.numel() / _shortest(lambda: target.copy_(source))


def _shortest(work: Callable[[], object]) -> float:
    for _ in range(_WARMUP):
        work()
    return min(_seconds(work, 1, 0.0)() for _ in range(_FEWEST_ROUNDS))


def rotation(
    inputs: Sequence[Tensor], cotangent: Tensor
) -> Iterator[tuple[Sequence[Tensor], Tensor]]:
    """The inputs and the cotangent, again and again; copies of them in turn, so many that the
    device's cache has lost one by the time it comes again."""
    bytes_of_one = sum(x.numel() * x.element_size() for x in (*inputs, cotangent))
    cached = torch.cuda.get_device_properties(inputs[0].device).L2_cache_size
    copies = min(_MOST_COPIES, 1 + math.ceil(_CACHES * cached / max(bytes_of_one, 1)))
    given = [(list(inputs), cotangent)]
    for _ in range(copies - 1):
        clones = [x.detach().clone().requires_grad_(x.requires_grad) for x in inputs]
        given.append((clones, cotangent.clone()))
    return itertools.cycle(given)


def alternate(
    sides: Mapping[str, Callable[[], object]], seconds: float, whole: bool
) -> dict[str, Timing]:
    """Time every side in turn, round after round, for about ``seconds`` in all.

    Args:
        sides: what each does once; it does not wait for the device.
        seconds: as ``bench.timing.in_turn`` takes them.
        whole: count what the device waits for the host too. Otherwise the host gets a head start
            in every sample, so that only the device's own work is counted.
    """
    works = {name: _prepare(side, whole) for name, side in sides.items()}
    return {name: Timing.of(taken) for name, taken in in_turn(works, seconds, warmup=0).items()}


def _prepare(side: Callable[[], object], whole: bool) -> Callable[[], float]:
    """Warm ``side`` up; return what times it."""
    host = []
    for _ in range(_WARMUP):
        torch.cuda.synchronize()
        began = time.perf_counter()
        side()
        host.append(time.perf_counter() - began)
    if whole:
        return _seconds(side, 1, 0.0)
    head_start = 2.0 * statistics.median(host)
    took = _seconds(side, 1, head_start)()
    together = max(1, min(_MOST_TOGETHER, math.ceil(_SHORT / max(took, 1e-9))))
    return _seconds(side, together, together * head_start)


def _seconds(side: Callable[[], object], together: int, head_start: float) -> Callable[[], float]:
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    cycles = int(min(head_start, _LONGEST_HEAD_START) * _CYCLES_PER_SECOND)

    def run() -> float:
        torch.cuda.synchronize()
        if cycles:
            torch.cuda._sleep(cycles)
        begin.record()
        for _ in range(together):
            side()
        end.record()
        torch.cuda.synchronize()
        return begin.elapsed_time(end) * 1e-3 / together

    return run


def peak_growth(work: Callable[[], object]) -> int:
    """The most bytes that torch's allocator gave out while ``work`` ran, above those before it."""
    gc.collect()
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    work()
    torch.cuda.synchronize()
    return torch.cuda.max_memory_allocated() - before
