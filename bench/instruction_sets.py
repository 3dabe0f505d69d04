"""What each instruction set that runs here makes of the same kernels, beside the best of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch

from bench import attention, feed_forward, linear, train_step
from bench.case import OURS, Case, Mode
from bench.settings import Settings
from bench.table import Column, Table
from bench.timing import alternate
from pytransformer import _C

PRESETS = ("tiny", "small")
_MODES: tuple[Mode, ...] = ("forward", "forward+backward")


def tables(settings: Settings) -> Iterator[Table]:
    """The shapes of the products, of attention and of a step, in float32."""
    yield compare(_cases(), running(_C.instruction_sets()), settings.seconds)


def running(sets: Sequence[tuple[str, bool]]) -> list[str]:
    """Those of ``sets`` that this machine has, in their order: best first."""
    return [name for name, runs_here in sets if runs_here]


def compare(cases: Iterator[tuple[str, Case]], names: Sequence[str], seconds: float) -> Table:
    """Our side of ``cases`` under each of the sets ``names``, in turn."""
    best, *others = names
    table = Table(
        "instruction_sets",
        f"time with {best}, and the fraction of its speed that others reach (float32)",
        [
            Column("case"),
            Column(f"{best} ms", ".2f"),
            *(Column(f"{name} of {best}", ".0%") for name in others),
        ],
    )
    if not others:
        table.notes.append(f"left out: {best} is the only one that runs here")
        return table
    before = _C.isa()
    try:
        for benchmark, case in cases:
            for name in names:
                _C.set_isa(name)
                case.check()
            sides = dict.fromkeys(names, case.sides[OURS])
            timings = alternate(sides, seconds, before=_C.set_isa)
            fastest = timings[best].median
            fractions = [fastest / timings[name].median for name in others]
            name = f"{benchmark} {case.label}"
            table.rows.append([name, fastest * 1e3, *fractions])
            table.noisy += [name] if any(took.noisy for took in timings.values()) else []
    finally:
        _C.set_isa(before)
    table.summary = _summary(table, names)
    return table


def _summary(table: Table, names: Sequence[str]) -> str:
    """The span of each set's fractions."""
    spans = []
    for column, name in enumerate(names[1:], start=2):
        fractions = [cell for row in table.rows if isinstance(cell := row[column], float)]
        spans.append(f"{name} reaches {min(fractions):.0%} to {max(fractions):.0%}")
    return f"{', '.join(spans)} of the speed of {names[0]}"


def _cases() -> Iterator[tuple[str, Case]]:
    for sizes in linear.SHAPES:
        yield "linear", linear.case(*sizes, torch.float32)
    for shape in attention.SHAPES:
        for mode in _MODES:
            yield "attention", attention.case(shape, torch.float32, mode)
    for layer in feed_forward.SHAPES:
        for mode in _MODES:
            yield "feed_forward", feed_forward.case(*layer, torch.float32, mode)
    for preset in PRESETS:
        yield "train_step", train_step.case(preset, torch.float32)
