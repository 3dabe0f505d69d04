"""Timing A against B: in turn, in one process, with disturbed samples dropped."""

from __future__ import annotations

import gc
import resource
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

_FEWEST_CLEAN = 5


@dataclass(frozen=True)
class Timing:
    """What one side took, in seconds.

    Attributes:
        median, low, high: the 50th, 10th and 90th percentile of the undisturbed samples.
        samples: how many those are.
        disturbed: how many were dropped, since another program took the processor meanwhile.
    """

    median: float
    low: float
    high: float
    samples: int
    disturbed: int


def alternate(
    sides: Mapping[str, Callable[[], object]], seconds: float = 2.0, warmup: int = 2
) -> dict[str, Timing]:
    """Time every side in turn, round after round, for about ``seconds`` in all.

    A sample during which this process was switched away from a processor against its will is
    disturbed. Where too few others are left, as on a machine that is never quiet, all count.
    """
    for _ in range(warmup):
        for side in sides.values():
            side()
    clean: dict[str, list[float]] = {name: [] for name in sides}
    disturbed: dict[str, list[float]] = {name: [] for name in sides}
    end = time.perf_counter() + seconds
    collecting = gc.isenabled()
    gc.disable()
    try:
        rounds = 0
        while rounds < _FEWEST_CLEAN or time.perf_counter() < end:
            for name, side in sides.items():
                switched = _involuntary_switches()
                began = time.perf_counter()
                side()
                took = time.perf_counter() - began
                kind = clean if _involuntary_switches() == switched else disturbed
                kind[name].append(took)
            rounds += 1
    finally:
        if collecting:
            gc.enable()
    return {name: _summary(clean[name], disturbed[name]) for name in sides}


def _summary(clean: list[float], disturbed: list[float]) -> Timing:
    used, dropped = clean, len(disturbed)
    if len(clean) < _FEWEST_CLEAN:
        used, dropped = clean + disturbed, 0
    tenths = statistics.quantiles(used, n=10, method="inclusive")
    return Timing(statistics.median(used), tenths[0], tenths[-1], len(used), dropped)


def _involuntary_switches() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw
