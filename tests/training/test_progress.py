"""What the progress shows, on a terminal and elsewhere."""

from __future__ import annotations

import io

import pytest

from pytransformer.training import progress as module
from pytransformer.training.config import TrainingOptions
from pytransformer.training.progress import Progress, clock_time
from pytransformer.training.state import TrainingState
from pytransformer.training.update import Update

_UPDATE = Update(loss=2.5, grad_norm=1.0, rate=1e-3, tokens=500, applied=True)


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class _Clock:
    """Time that passes only when told."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> _Clock:
    clock = _Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


def _run(options: TrainingOptions, stream: io.StringIO, clock: _Clock, steps: int) -> None:
    """Updates of 10 seconds and 500 tokens each, two to a pass."""
    state = TrainingState()
    progress = Progress(options, state, stream)
    for step in range(1, steps + 1):
        clock.now += 10.0
        state.step, state.seconds = step, step * 10.0
        progress.update(_UPDATE, seconds=8.0, passes=step / 2)
    progress.say("halfway")
    progress.close()


def test_plain_lines_come_every_half_minute(clock: _Clock) -> None:
    stream = io.StringIO()
    _run(TrainingOptions(output="x", max_steps=10), stream, clock, steps=7)
    first, second, said = stream.getvalue().splitlines()
    assert first == (" 30%  step 3  epoch 1.50  loss 2.500  rate 1.00e-03  62 tok/s  ETA 1:10")
    assert second.startswith(" 60%  step 6  epoch 3.00")
    assert second.endswith("ETA 0:40")
    assert said == "halfway"


@pytest.mark.parametrize(
    ("limits", "percent"),
    [
        ({"max_steps": 0, "max_epochs": 6}, "25%"),
        ({"max_steps": 0, "max_minutes": 1.0}, "50%"),
        ({"max_steps": 300, "max_epochs": 30, "max_minutes": 2.0}, "25%"),
    ],
)
def test_the_nearest_limit_counts(clock: _Clock, limits: dict[str, float], percent: str) -> None:
    stream = io.StringIO()
    _run(TrainingOptions(output="x", **limits), stream, clock, steps=3)  # type: ignore[arg-type]
    assert stream.getvalue().startswith(f" {percent}  step 3")


def test_a_terminal_gets_a_bar(clock: _Clock) -> None:
    stream = _Terminal()
    _run(TrainingOptions(output="x", max_steps=10), stream, clock, steps=5)
    shown = stream.getvalue()
    assert "50% |" in shown
    assert "step 5  epoch 2.50  loss 2.500  rate 1.00e-03  62 tok/s  ETA 0:50" in shown
    assert "halfway\n" in shown


def test_skipped_updates_are_counted(clock: _Clock) -> None:
    stream = io.StringIO()
    state = TrainingState(step=1, skipped=2)
    progress = Progress(TrainingOptions(output="x", max_steps=10), state, stream)
    clock.now += 100.0
    progress.update(_UPDATE, seconds=8.0, passes=0.5)
    assert "tok/s  skipped 2  ETA" in stream.getvalue()


def test_clock_time() -> None:
    assert [clock_time(seconds) for seconds in (0.4, 59.6, 3599, 3600, 36061)] == [
        *("0:00", "1:00", "59:59", "1:00:00", "10:01:01")
    ]
