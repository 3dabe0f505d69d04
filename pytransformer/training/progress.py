"""How a run shows itself while it lasts: a live bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from typing import TextIO

from tqdm import tqdm

from pytransformer.training.config import TrainingOptions
from pytransformer.training.state import TrainingState
from pytransformer.training.update import Update

_BAR = "{percentage:3.0f}% |{bar}| {desc}"
_BAR_SECONDS = 0.2
_LINE_SECONDS = 30.0


class Progress:
    """Loss, rate, tokens per second and the time left, at most a few times a second."""

    def __init__(
        self,
        options: TrainingOptions,
        state: TrainingState,
        stream: TextIO | None = None,
        silent: bool = False,
    ) -> None:
        """Show ``state`` as it changes.

        Args:
            options: the limits that say how far the run has come.
            state: the counters of the run, kept by the trainer.
            stream: where to; None is standard error.
            silent: show nothing, as one of several processes.
        """
        self._stream = stream or sys.stderr
        self._silent = silent
        self._options = options
        self._state = state
        self._begun: tuple[float, float] | None = None  # fraction and seconds at the first update
        self._shown_at = time.monotonic()
        self._tokens = 0
        self._busy_seconds = 0.0
        self._bar = (
            tqdm(total=1.0, file=self._stream, bar_format=_BAR, dynamic_ncols=True, leave=False)
            if self._stream.isatty() and not silent
            else None
        )

    def update(self, last: Update, seconds: float, passes: float) -> None:
        """Count an update, and show it if the last showing is long enough ago.

        Args:
            last: the update.
            seconds: how long it took.
            passes: passes over the data, the begun one as a fraction.
        """
        self._tokens += last.tokens
        self._busy_seconds += seconds
        if self._begun is None:
            self._begun = (self._fraction(passes), self._state.seconds)
        now = time.monotonic()
        if self._silent or now - self._shown_at < (
            _LINE_SECONDS if self._bar is None else _BAR_SECONDS
        ):
            return
        fraction = self._fraction(passes)
        skipped = f"skipped {self._state.skipped:,}  " if self._state.skipped else ""
        text = (
            f"step {self._state.step:,}  epoch {passes:.2f}  loss {last.loss:.3f}  "
            f"rate {last.rate:.2e}  {self._tokens / self._busy_seconds:,.0f} tok/s  "
            f"{skipped}ETA {clock_time(self._seconds_left(fraction))}"
        )
        if self._bar is None:
            print(f"{fraction:4.0%}  {text}", file=self._stream, flush=True)
        else:
            self._bar.n = fraction
            self._bar.set_description_str(text)
        self._shown_at = now
        self._tokens, self._busy_seconds = 0, 0.0

    def say(self, text: str) -> None:
        """Write a line that stays, above the bar."""
        if self._silent:
            return
        if self._bar is None:
            print(text, file=self._stream, flush=True)
        else:
            self._bar.write(text, file=self._stream)

    def close(self) -> None:
        """Remove the bar."""
        if self._bar is not None:
            self._bar.close()

    def _fraction(self, passes: float) -> float:
        """How much of the run is done: of its nearest limit.

        Args:
            passes: passes over the data, the begun one included as a fraction.
        """
        options, state = self._options, self._state
        limits = (
            (state.step, options.max_steps),
            (passes, options.max_epochs),
            (state.seconds, options.max_minutes * 60),
        )
        return max((min(done / limit, 1.0) for done, limit in limits if limit), default=0.0)

    def _seconds_left(self, fraction: float) -> float:
        assert self._begun is not None
        done = fraction - self._begun[0]
        spent = self._state.seconds - self._begun[1]
        return spent * (1.0 - fraction) / done if done > 0 else 0.0


def clock_time(seconds: float) -> str:
    """Seconds as ``1:02:03`` or ``2:03``."""
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"
