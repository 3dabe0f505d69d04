"""Samples are taken in turn, disturbed ones dropped, the others summed up by their quantiles."""

from __future__ import annotations

import gc
import time

import pytest

from bench import timing
from bench.timing import Samples, Timing, alternate, in_turn


def test_sides_take_turns() -> None:
    order: list[str] = []
    alternate({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, 0.0, warmup=1)
    assert len(order) >= 12
    assert order == ["a", "b"] * (len(order) // 2)


def test_a_slow_side_is_warmed_up_once() -> None:
    runs: list[None] = []
    found = in_turn({"a": lambda: runs.append(None)}, seconds=0.0, warmup=9)["a"]
    assert len(runs) == 1 + len(found.kept) + found.dropped


def test_what_comes_before_a_run_is_not_timed() -> None:
    order: list[str] = []
    found = alternate(
        {"a": lambda: order.append("run")},
        seconds=0.0,
        warmup=0,
        before=lambda name: (order.append(name), time.sleep(0.01)),
    )
    assert order[:2] == ["a", "run"]
    assert found["a"].median < 0.01


def test_quantiles() -> None:
    found = Timing.of(Samples([float(value) for value in range(10, -1, -1)], dropped=2))
    assert (found.low, found.median, found.high) == (1.0, 5.0, 9.0)
    assert (found.samples, found.dropped, found.noisy) == (11, 2, False)


def test_disturbed_samples_are_dropped() -> None:
    assert Samples.of([1, 2, 3, 4, 5], [9, 9]) == Samples([1, 2, 3, 4, 5], dropped=2)


def test_where_too_few_are_undisturbed_all_count_and_it_is_said() -> None:
    assert Samples.of([1, 2], [9, 9, 9]) == Samples([1, 2, 9, 9, 9], dropped=0, noisy=True)
    assert Samples.of([1, 2], []) == Samples([1, 2], dropped=0, noisy=False)


def test_a_switch_during_a_run_disturbs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[int] = []
    monkeypatch.setattr(timing, "_involuntary_switches", lambda: int(len(runs) >= 2))

    def run() -> int:
        runs.append(len(runs))
        return runs[-1]

    found = in_turn({"a": run}, seconds=0.01, warmup=0)["a"]
    assert found.kept == [index for index in runs if index != 1]
    assert found.dropped == 1


def test_garbage_is_collected_again_after_an_error() -> None:
    def fail() -> None:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        alternate({"a": fail}, warmup=0)
    assert gc.isenabled()
