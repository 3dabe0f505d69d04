"""The most memory that a training step and the loss need, each side in a process of its own.

As a program: ``python -m bench.memory WORK SIZE SIDE`` measures one of ``WORKS`` and prints JSON.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict

import torch

from bench import attention, linear_cross_entropy, train_step
from bench.case import OURS, TORCH
from bench.child import Unavailable, run_child
from bench.resident import Growth, peak_growth
from bench.settings import Settings
from bench.table import Column, Table
from pytransformer import TransformerConfig

STEPS = 3
WIDTHS = (128, 512)


def tables(settings: Settings) -> Iterator[Table]:
    """A training step of every preset, and the loss with its projection."""
    table = Table(
        "memory",
        "the most resident memory of a process, above that before the work",
        [
            Column("work"),
            Column(f"{OURS} MB", ".1f"),
            Column(f"{TORCH} MB", ".1f"),
            Column(f"{TORCH} / ours", ".2f"),
        ],
    )
    for preset in train_step.PRESETS:
        _add_row(table, f"train_step {preset}, {STEPS} steps", "train_step", preset)
    for width in WIDTHS:
        name = f"{linear_cross_entropy.ROWS} x {width} x {linear_cross_entropy.VOCABULARY}"
        _add_row(table, f"linear_cross_entropy {name} +bwd", "linear_cross_entropy", str(width))
    ratios = [row[3] for row in table.rows if isinstance(row[3], float)]
    if ratios:
        table.summary = f"{TORCH} needs {min(ratios):.2f} to {max(ratios):.2f} times as much memory"
    yield table


def measure(work: str, size: str, side: str) -> Growth:
    """What ``side`` needs for one of ``WORKS``.

    Raises:
        Unavailable: if the process fails, as when memory does not suffice.
    """
    return Growth(**run_child("bench.memory", work, size, side))


def _add_row(table: Table, name: str, work: str, size: str) -> None:
    found: dict[str, float] = {}
    for side in (OURS, TORCH):
        try:
            growth = measure(work, size, side)
        except Unavailable as error:
            table.notes.append(str(error))
            continue
        found[side] = growth.megabytes
        if growth.note and growth.note not in table.notes:
            table.notes.append(growth.note)
    ratio = found[TORCH] / found[OURS] if len(found) == 2 and found[OURS] > 0 else None
    table.rows.append([name, found.get(OURS), found.get(TORCH), ratio])
    if ratio is not None and ratio < 1.0:
        table.losses.append(f"{name}: {TORCH} needs {ratio:.2f} of our memory")


def _train_step(preset: str, side: str) -> Callable[[], object]:
    config = train_step.config_of(preset, train_step.DROPOUT)
    batch = train_step.batch(train_step.SENTENCES, even=False)
    step = train_step.step(side, config, *batch, torch.float32)

    def steps() -> None:
        for _ in range(STEPS):
            step()

    return steps


def _linear_cross_entropy(width: str, side: str) -> Callable[[], object]:
    return linear_cross_entropy.case(int(width), torch.float32).sides[side]


def _attention(length: str, side: str) -> Callable[[], object]:
    shape = attention.long(int(length))
    return attention.case(shape, torch.float32, "forward+backward").sides[side]


WORKS: dict[str, Callable[[str, str], Callable[[], object]]] = {
    "train_step": _train_step,
    "linear_cross_entropy": _linear_cross_entropy,
    "attention": _attention,
}


def _warm_up(side: str) -> None:
    """Load what the first step of all loads: threads and libraries are not the work's."""
    config = TransformerConfig(train_step.VOCABULARY, 8, 2, 8, encoder_layers=1, decoder_layers=1)
    train_step.step(side, config, *train_step.batch(2, even=False), torch.float32)()


def main(work: str, size: str, side: str) -> None:
    """Measure in this process."""
    _warm_up(side)
    print(json.dumps(asdict(peak_growth(WORKS[work](size, side)))))


if __name__ == "__main__":
    main(*sys.argv[1:])
