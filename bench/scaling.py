"""How cost grows: with the length of a sequence, the size of a batch, and the number of threads."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

import torch

from bench import attention, linear, memory, train_step
from bench.case import OURS, Case, Mode
from bench.child import Unavailable
from bench.settings import Settings
from bench.table import Column, Table
from bench.timing import Timing, alternate

LENGTHS = (1024, 2048, 4096, 8192, 16384)
SENTENCES = (32, 64, 128, 256)
THREADS = 2
_MODES: tuple[Mode, ...] = ("forward", "forward+backward")


def tables(settings: Settings) -> Iterator[Table]:
    """Lengths, batches, threads."""
    yield lengths(LENGTHS, settings.seconds)
    yield batches(SENTENCES, settings.seconds)
    yield threads(settings.seconds)


def lengths(of: Sequence[int], seconds: float) -> Table:
    """Attention of one sequence: time grows with the square of the length, memory with it."""
    table = Table(
        "scaling",
        "causal attention by length (batch 1, 8 heads of 64, float32)",
        [
            Column("length"),
            Column("forward ms", ".2f"),
            Column("forward ns/length²", ".3f"),
            Column("+bwd ms", ".2f"),
            Column("+bwd ns/length²", ".3f"),
            Column("+bwd peak MB", ".1f"),
            Column("KB/length", ".2f"),
        ],
    )
    # Longer ones are not checked: the oracle writes out every score.
    attention.case(attention.long(of[0]), torch.float32, "forward").check()
    for length in of:
        row: list[str | float | None] = [str(length)]
        for mode in _MODES:
            case = attention.case(attention.long(length), torch.float32, mode)
            took = _ours(case, seconds)
            row += [took.median * 1e3, took.median * 1e9 / length**2]
            table.noisy += [str(length)] if took.noisy else []
        try:
            growth = memory.measure("attention", str(length), OURS)
            row += [growth.megabytes, growth.bytes / 1e3 / length]
            if growth.note and growth.note not in table.notes:
                table.notes.append(growth.note)
        except Unavailable as error:
            row += [None, None]
            table.notes.append(str(error))
        table.rows.append(row)
    time, space = _growth(table, "ns/length²", column=4), _growth(table, "KB/length", column=6)
    table.summary = f"attention takes {time}, and needs {space}"
    return table


def batches(of: Sequence[int], seconds: float) -> Table:
    """A step of ``tiny``: its time should grow with the number of tokens, or more slowly."""
    table = Table(
        "scaling",
        "a training step by size of the batch (tiny, float32)",
        [
            Column("sentences"),
            Column("tokens", ".0f"),
            Column("ms", ".2f"),
            Column("µs/token", ".2f"),
        ],
    )
    for sentences in of:
        data = train_step.Data(sentences)
        src, tgt = train_step.batch(data, even=False)
        tokens = src.values.shape[0] + tgt.values.shape[0] - sentences
        case = train_step.case("tiny", torch.float32, data=data)
        case.check()
        took = _ours(case, seconds)
        table.rows.append([str(sentences), tokens, took.median * 1e3, took.median * 1e6 / tokens])
        table.noisy += [str(sentences)] if took.noisy else []
    table.summary = f"a step of tiny takes {_growth(table, 'µs/token', column=3)}"
    return table


def threads(seconds: float) -> Table:
    """What a second thread brings."""
    table = Table(
        "scaling",
        f"{THREADS} threads against 1 (float32)",
        [
            Column("case"),
            Column("1 thread ms", ".2f"),
            Column(f"{THREADS} threads ms", ".2f"),
            Column("times as fast", ".2f"),
        ],
    )
    cores = len(os.sched_getaffinity(0))
    if cores < THREADS:
        table.notes.append(f"left out: this process may use {cores} core alone")
        return table
    before = torch.get_num_threads()
    try:
        for benchmark, case in _threaded_cases():
            torch.set_num_threads(THREADS)
            case.check()
            sides = dict.fromkeys(("1", str(THREADS)), case.sides[OURS])
            timings = alternate(
                sides, seconds, before=lambda count: torch.set_num_threads(int(count))
            )
            one, more = (timings[count].median for count in sides)
            name = f"{benchmark} {case.label}"
            table.rows.append([name, one * 1e3, more * 1e3, one / more])
            table.noisy += [name] if any(took.noisy for took in timings.values()) else []
            if more > one:
                table.losses.append(f"{name}: {THREADS} threads are slower than 1")
    finally:
        torch.set_num_threads(before)
    gains = [row[-1] for row in table.rows if isinstance(row[-1], float)]
    table.summary = f"{THREADS} threads are {min(gains):.2f} to {max(gains):.2f} times as fast as 1"
    return table


def _growth(table: Table, unit: str, column: int) -> str:
    """The smallest and the largest row's number."""
    first, last = table.rows[0], table.rows[-1]
    texts = [table.columns[column].text(row[column]) for row in (first, last)]
    return f"{texts[0]} {unit} at {first[0]}, {texts[1]} at {last[0]}"


def _threaded_cases() -> Iterator[tuple[str, Case]]:
    for preset in train_step.PRESETS:
        yield "train_step", train_step.case(preset, torch.float32)
    for shape in attention.SHAPES:
        for mode in _MODES:
            yield "attention", attention.case(shape, torch.float32, mode)
    for sizes in linear.SHAPES:
        yield "linear", linear.case(*sizes, torch.float32)


def _ours(case: Case, seconds: float) -> Timing:
    return alternate({OURS: case.sides[OURS]}, seconds)[OURS]
