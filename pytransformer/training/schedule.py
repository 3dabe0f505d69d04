"""How the learning rate moves: pure functions of the update's number, which starts at 1."""

from __future__ import annotations


def paper(step: int, d_model: int, warmup_steps: int) -> float:
    """The rate of the paper (section 5.3, equation 3).

    ``d_model^-0.5 * min(step^-0.5, step * warmup_steps^-1.5)``: it rises linearly during the
    warm-up, then falls with the inverse square root of the step; the width sets its height.
    """
    return d_model**-0.5 * min(step**-0.5, step * warmup_steps**-1.5)


def inverse_sqrt(step: int, peak: float, warmup_steps: int) -> float:
    """The same curve with its height given: ``peak`` is reached at ``warmup_steps``."""
    return peak * min(step / warmup_steps, (warmup_steps / step) ** 0.5)


def linear(step: int, peak: float, warmup_steps: int, last_step: int) -> float:
    """Up to ``peak`` at ``warmup_steps``, then straight down, to reach 0 just after ``last_step``.

    For a run whose length is known: the small rates at its end settle what the large ones left.
    """
    if step <= warmup_steps:
        return peak * step / warmup_steps
    return peak * max(0.0, (last_step + 1 - step) / (last_step + 1 - warmup_steps))
