"""Samples are taken in turn, and summed up by their quantiles."""

from __future__ import annotations

import gc
import time

import pytest

from bench.timing import alternate


def test_sides_take_turns() -> None:
    order: list[str] = []
    alternate({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, 0.0, warmup=1)
    assert len(order) >= 12
    assert order == ["a", "b"] * (len(order) // 2)


def test_a_side_that_sleeps_longer_takes_longer() -> None:
    sides = {"short": lambda: time.sleep(0.001), "long": lambda: time.sleep(0.01)}
    timings = alternate(sides, seconds=0.1)
    assert timings["long"].median > timings["short"].median
    for timing in timings.values():
        assert timing.low <= timing.median <= timing.high
        assert timing.samples >= 5


def test_garbage_is_collected_again_after_an_error() -> None:
    def fail() -> None:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        alternate({"a": fail}, warmup=0)
    assert gc.isenabled()
