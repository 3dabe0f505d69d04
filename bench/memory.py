"""The most memory that a training step and the loss need, each side in a process of its own; on a
CUDA device, what torch's allocator gave out.

As a program: ``python -m bench.memory WORK SIZE SIDE`` measures one of ``WORKS`` and prints JSON.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict

import torch

from bench import attention, cuda, linear_cross_entropy, train_step
from bench.case import CPU, OURS, TORCH
from bench.child import Unavailable, run_child
from bench.resident import Growth, peak_growth
from bench.settings import Settings
from bench.table import Column, Table
from pytransformer import TransformerConfig

STEPS = 3
WIDTHS = (128, 512)


def tables(settings: Settings) -> Iterator[Table]:
    """A training step of every preset, and the loss with its projection."""
    on_cuda = settings.on_cuda
    table = Table(
        "memory",
        "the most memory of the device, above that before the work"
        if on_cuda
        else "the most resident memory of a process, above that before the work",
        [
            Column("work"),
            Column(f"{OURS} MB", ".1f"),
            Column(f"{TORCH} MB", ".1f"),
            Column(f"{TORCH} / ours", ".2f"),
        ],
    )
    works = _works_on_cuda() if on_cuda else _works()
    for name, work, size in works:
        _add_row(table, name, work, size)
    ratios = [row[3] for row in table.rows if isinstance(row[3], float)]
    if ratios:
        table.summary = f"{TORCH} needs {min(ratios):.2f} to {max(ratios):.2f} times as much memory"
    yield table


def _works() -> Iterator[tuple[str, str, str]]:
    """The name of a row, and which of ``WORKS`` it measures in which size."""
    for preset in train_step.PRESETS:
        yield f"train_step {preset}, {STEPS} steps", "train_step", preset
    for width in WIDTHS:
        name = f"{linear_cross_entropy.ROWS} x {width} x {linear_cross_entropy.VOCABULARY}"
        yield f"linear_cross_entropy {name} +bwd", "linear_cross_entropy", str(width)


def _works_on_cuda() -> Iterator[tuple[str, str, str]]:
    for preset in train_step.PRESETS_ON_CUDA:
        yield f"train_step {preset} bfloat16, {STEPS} steps", "train_step_on_cuda", preset
    for width in linear_cross_entropy.WIDTHS_ON_CUDA:
        name = linear_cross_entropy.case_on_cuda(width).label
        yield f"linear_cross_entropy {name} bfloat16", "linear_cross_entropy_on_cuda", str(width)


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
    batch = train_step.batch(train_step.Data(), even=False)
    return _repeated(train_step.step(side, config, *batch, torch.float32))


def _repeated(step: Callable[[], object]) -> Callable[[], object]:
    def steps() -> None:
        for _ in range(STEPS):
            step()

    return steps


def _linear_cross_entropy(width: str, side: str) -> Callable[[], object]:
    return linear_cross_entropy.case(int(width), torch.float32).sides[side]


def _attention(length: str, side: str) -> Callable[[], object]:
    shape = attention.long(int(length))
    return attention.case(shape, torch.float32, "forward+backward").sides[side]


def _train_step_on_cuda(preset: str, side: str) -> Callable[[], object]:
    data = train_step.DATA_ON_CUDA
    config = train_step.config_of(preset, train_step.DROPOUT, data.vocabulary)
    batch = train_step.batch(data, even=False, device=torch.device("cuda"))
    return _repeated(train_step.step(side, config, *batch, torch.bfloat16))


def _linear_cross_entropy_on_cuda(width: str, side: str) -> Callable[[], object]:
    return linear_cross_entropy.case_on_cuda(int(width)).sides[side]


WORKS: dict[str, Callable[[str, str], Callable[[], object]]] = {
    "train_step": _train_step,
    "linear_cross_entropy": _linear_cross_entropy,
    "attention": _attention,
    "train_step_on_cuda": _train_step_on_cuda,
    "linear_cross_entropy_on_cuda": _linear_cross_entropy_on_cuda,
}


def _warm_up(side: str, device: torch.device) -> None:
    """Load what the first step of all loads: threads and libraries are not the work's."""
    config = TransformerConfig(train_step.VOCABULARY, 8, 2, 8, encoder_layers=1, decoder_layers=1)
    batch = train_step.batch(train_step.Data(2), even=False, device=device)
    train_step.step(side, config, *batch, torch.float32)()


def main(work: str, size: str, side: str) -> None:
    """Measure in this process."""
    on_cuda = work.endswith("_on_cuda")
    _warm_up(side, torch.device("cuda") if on_cuda else CPU)
    ready = WORKS[work](size, side)
    growth = Growth(cuda.peak_growth(ready)) if on_cuda else peak_growth(ready)
    print(json.dumps(asdict(growth)))


if __name__ == "__main__":
    main(*sys.argv[1:])
