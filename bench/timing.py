"""Timing A against B: in turn, in one process, with disturbed samples dropped."""

from __future__ import annotations

import gc
import resource
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

_FEWEST_CLEAN = 5

T = TypeVar("T")


@dataclass(frozen=True)
class Timing:
    """What one side took, in seconds.

    Attributes:
        median, low, high: the 50th, 10th and 90th percentile of the undisturbed samples.
        samples: how many those are.
        dropped: how many were not, since another program took the processor meanwhile.
        noisy: whether too few were undisturbed, so that all count.
    """

    median: float
    low: float
    high: float
    samples: int
    dropped: int
    noisy: bool

    @classmethod
    def of(cls, samples: Samples[float]) -> Timing:
        """The quantiles of ``samples``."""
        tenths = statistics.quantiles(samples.kept, n=10, method="inclusive")
        return cls(
            median=statistics.median(samples.kept),
            low=tenths[0],
            high=tenths[-1],
            samples=len(samples.kept),
            dropped=samples.dropped,
            noisy=samples.noisy,
        )


@dataclass(frozen=True)
class Samples(Generic[T]):
    """What the runs of one side gave: those that count, and how many were dropped."""

    kept: list[T]
    dropped: int
    noisy: bool = False

    @classmethod
    def of(cls, clean: list[T], disturbed: list[T]) -> Samples[T]:
        """The clean ones; all, where too few are, as on a machine that is never quiet."""
        if len(clean) < _FEWEST_CLEAN:
            return cls(clean + disturbed, dropped=0, noisy=bool(disturbed))
        return cls(clean, dropped=len(disturbed))


def alternate(
    sides: Mapping[str, Callable[[], object]],
    seconds: float = 2.0,
    warmup: int = 2,
    before: Callable[[str], object] | None = None,
    agree: Callable[[bool], bool] = bool,
) -> dict[str, Timing]:
    """Time every side in turn, round after round, for about ``seconds`` in all.

    ``before`` is called with the side's name before each run of it, and is not timed. ``agree``
    is told whether time is left, and decides whether another round follows.
    """

    def timed(name: str, side: Callable[[], object]) -> Callable[[], float]:
        def run() -> float:
            if before is not None:
                before(name)
            began = time.perf_counter()
            side()
            return time.perf_counter() - began

        return run

    works = {name: timed(name, side) for name, side in sides.items()}
    samples = in_turn(works, seconds, warmup, agree)
    return {name: Timing.of(of_one) for name, of_one in samples.items()}


def in_turn(
    works: Mapping[str, Callable[[], T]],
    seconds: float,
    warmup: int = 2,
    agree: Callable[[bool], bool] = bool,
) -> dict[str, Samples[T]]:
    """What each of ``works`` returns, round after round, for about ``seconds`` in all.

    A run during which this process was switched away from a processor against its will is
    disturbed. ``warmup`` rounds come first, but no second one once ``seconds`` have passed.
    """
    end = time.perf_counter() + seconds
    for done in range(warmup):
        if done and not agree(time.perf_counter() <= end):
            break
        for work in works.values():
            work()
    clean: dict[str, list[T]] = {name: [] for name in works}
    disturbed: dict[str, list[T]] = {name: [] for name in works}
    end = time.perf_counter() + seconds
    collecting = gc.isenabled()
    gc.disable()
    try:
        rounds = 0
        while rounds < _FEWEST_CLEAN or agree(time.perf_counter() < end):
            for name, work in works.items():
                switched = _involuntary_switches()
                result = work()
                kind = clean if _involuntary_switches() == switched else disturbed
                kind[name].append(result)
            rounds += 1
    finally:
        if collecting:
            gc.enable()
    return {name: Samples.of(clean[name], disturbed[name]) for name in works}


def _involuntary_switches() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw
