"""Where a training step's time goes: into which kernel, and what is not a kernel at all.

Each step in a process of its own: the heap of one that has run other benchmarks is in pieces, and
the allocator searches them. As a program: ``python -m bench.overhead SENTENCES TYPE SECONDS``
measures one and prints JSON.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

import torch

from bench import train_step
from bench.case import OURS, precision_of
from bench.child import Unavailable, run_child
from bench.settings import Settings
from bench.step_check import check
from bench.table import Cell, Column, Table
from bench.timing import Samples, in_turn
from pytransformer import _C

SETTINGS = (  # sentences, type
    (64, torch.float32),
    (64, torch.bfloat16),
    (4, torch.float32),
)


@dataclass(frozen=True)
class Parts:
    """One step, or the mean of several, in seconds.

    Attributes:
        step: all of it.
        update: torch's fused Adam.
        kernels: calls of each of our kernels, and their time.
    """

    step: float
    update: float
    kernels: dict[str, tuple[float, float]]

    @property
    def inside(self) -> float:
        """The time of all our kernels."""
        return sum(seconds for _, seconds in self.kernels.values())

    @property
    def outside(self) -> float:
        """Neither kernels nor the update: Python, autograd, torch's other ops."""
        return self.step - self.update - self.inside


def tables(settings: Settings) -> Iterator[Table]:
    """The parts of a step of ``tiny``; then every kernel."""
    table, found = _parts_table(), {}
    for sentences, dtype in SETTINGS:
        name = f"tiny, {sentences} sentences {precision_of(dtype)}"
        arguments = (str(sentences), precision_of(dtype), str(settings.seconds))
        try:
            measured = run_child("bench.overhead", *arguments)
        except Unavailable as error:
            table.notes.append(str(error))
            continue
        found[name] = Parts(**measured["parts"])
        table.rows.append(_row(name, found[name]))
        table.noisy += [name] if measured["noisy"] else []
    shares = (f"{parts.outside / parts.step:.0%} ({name})" for name, parts in found.items())
    table.summary = f"outside kernels and Adam: {', '.join(shares)}" if found else ""
    yield table
    for name, parts in found.items():
        yield _kernels(name, parts)


def _measure(sentences: int, dtype: torch.dtype, seconds: float) -> Samples[Parts]:
    config = train_step.config_of("tiny", train_step.DROPOUT)
    few = train_step.Data(train_step.CHECKED_SENTENCES)
    check(config, *train_step.batch(few, even=False), dtype)
    batch = train_step.batch(train_step.Data(sentences), even=False)
    step = train_step.step(OURS, config, *batch, dtype)

    def run() -> Parts:
        _C.start_profile()
        began = time.perf_counter()
        step.gradients()
        middle = time.perf_counter()
        step.optimizer.step()
        end = time.perf_counter()
        return Parts(end - began, end - middle, {**_C.stop_profile()})

    return in_turn({OURS: run}, seconds)[OURS]


def typical(samples: Sequence[Parts]) -> Parts:
    """The mean of the middle half of ``samples``, whose parts still add up, unlike medians."""
    ordered = sorted(samples, key=lambda parts: parts.step)
    quarter = len(ordered) // 4
    middle = ordered[quarter : len(ordered) - quarter]
    count = len(middle)
    names = {name for parts in middle for name in parts.kernels}
    return Parts(
        sum(parts.step for parts in middle) / count,
        sum(parts.update for parts in middle) / count,
        {
            name: (
                sum(parts.kernels.get(name, (0, 0.0))[0] for parts in middle) / count,
                sum(parts.kernels.get(name, (0, 0.0))[1] for parts in middle) / count,
            )
            for name in names
        },
    )


def _parts_table() -> Table:
    return Table(
        "overhead",
        "a training step: our kernels, torch's fused Adam, and all else",
        [
            Column("step"),
            Column("ms", ".2f"),
            Column("kernels ms", ".2f"),
            Column("Adam ms", ".2f"),
            Column("Adam", ".1%"),
            Column("outside ms", ".2f"),
            Column("outside", ".1%"),
        ],
    )


def _row(name: str, parts: Parts) -> list[Cell]:
    return [
        name,
        parts.step * 1e3,
        parts.inside * 1e3,
        parts.update * 1e3,
        parts.update / parts.step,
        parts.outside * 1e3,
        parts.outside / parts.step,
    ]


def _kernels(name: str, parts: Parts) -> Table:
    table = Table(
        "overhead",
        f"kernels of a step ({name})",
        [Column("part"), Column("calls", ".0f"), Column("ms", ".3f"), Column("of step", ".1%")],
    )
    lines: list[tuple[str, float | None, float]] = [
        (kernel, *counted)
        for kernel, counted in sorted(parts.kernels.items(), key=lambda item: -item[1][1])
    ]
    lines += [
        ("fused Adam (torch)", 1, parts.update),
        ("outside", None, parts.outside),
        ("step", None, parts.step),
    ]
    for part, calls, seconds in lines:
        table.rows.append([part, calls, seconds * 1e3, seconds / parts.step])
    return table


def main(sentences: str, precision: str, seconds: str) -> None:
    """Measure one step in this process."""
    steps = _measure(int(sentences), getattr(torch, precision), float(seconds))
    print(json.dumps({"parts": asdict(typical(steps.kept)), "noisy": steps.noisy}))


if __name__ == "__main__":
    main(*sys.argv[1:])
