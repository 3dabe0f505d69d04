"""A training step of two processes: how their gradients are summed, and what the second one brings.

Both on the CPU with one thread each, connected by gloo; beside them one process with two threads
that makes the same step alone. All sides take turns in one group of processes; the times are those
of the first one, which begins together with the other and ends with it. As a program, started for
each process as by ``torchrun``: ``python -m bench.processes PRESET SENTENCES SECONDS`` measures one
preset and prints JSON.
"""

from __future__ import annotations

import gc
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace

import torch
import torch.distributed as dist
from torch import Tensor, nn

from bench import train_step
from bench.child import Unavailable
from bench.settings import Settings
from bench.table import Column, Table
from bench.timing import Timing, alternate
from pytransformer import Packed, Transformer, TransformerConfig, pack
from pytransformer.training.exchange import GradientExchange
from pytransformer.training.processes import Processes, join
from tests.cases.compare import assert_close
from tests.cases.processes import finish, start

SIZE = 2
SENTENCES = 64  # of each process
CHECKED_SENTENCES = 2
OVERLAPPED = "overlapped"
FLAT = "one sum after backward"
DDP = "DistributedDataParallel"
ALONE = f"1 process, {SIZE} threads"


@dataclass(frozen=True)
class Found:
    """What one preset took.

    Attributes:
        parameters: numbers to sum in each step.
        tokens: source and target tokens of a step, of all processes.
        timings: by side.
    """

    parameters: int
    tokens: int
    timings: dict[str, Timing]


def tables(settings: Settings) -> Iterator[Table]:
    """The ways of summing; then two processes beside two threads."""
    found: dict[str, Found] = {}
    notes = []
    for preset in train_step.PRESETS:
        try:
            found[preset] = measure(preset, SENTENCES, settings.seconds)
        except Unavailable as error:
            notes.append(str(error))
    yield sums(found, notes)
    yield beside_threads(found, notes)


def sums(found: dict[str, Found], notes: list[str]) -> Table:
    """How long the peers take, as multiples of ours."""
    table = _table(
        f"a step of {SIZE} processes of 1 thread: how gradients are summed (float32)",
        [
            Column("preset"),
            Column("MB summed", ".1f"),
            Column(f"{OVERLAPPED} ms", ".2f"),
            Column(FLAT, ".2f"),
            Column(DDP, ".2f"),
        ],
        found,
        notes,
    )
    for preset, one in found.items():
        ours = one.timings[OVERLAPPED].median
        ratios = {side: one.timings[side].median / ours for side in (FLAT, DDP)}
        table.rows.append([preset, one.parameters * 4 / 1e6, ours * 1e3, *ratios.values()])
        table.losses += [
            f"{preset}, {SIZE} processes: {side} takes {ratio:.2f} of our time"
            for side, ratio in ratios.items()
            if ratio < 1.0
        ]
    table.summary = "; ".join(
        f"{column.name} takes {_range(table, index)} of our time"
        for index, column in enumerate(table.columns[3:], start=3)
        if table.rows
    )
    return table


def beside_threads(found: dict[str, Found], notes: list[str]) -> Table:
    """Tokens per second of both ways to use two cores."""
    table = _table(
        f"{SIZE} processes of 1 thread, and {ALONE}: the same step (float32)",
        [
            Column("preset"),
            Column("tokens", ".0f"),
            Column(f"{SIZE} processes tokens/s", ",.0f"),
            Column(f"{ALONE} tokens/s", ",.0f"),
            Column("processes / threads", ".2f"),
        ],
        found,
        notes,
    )
    for preset, one in found.items():
        speeds = [one.tokens / one.timings[side].median for side in (OVERLAPPED, ALONE)]
        table.rows.append([preset, one.tokens, *speeds, speeds[0] / speeds[1]])
    if table.rows:
        table.summary = f"{SIZE} processes are {_range(table, 4)} times as fast as {SIZE} threads"
    return table


def measure(preset: str, sentences: int, seconds: float) -> Found:
    """What a step of ``preset`` takes with that many sentences for each process.

    Raises:
        Unavailable: if a process fails, as when memory does not suffice.
    """
    command = ["-m", "bench.processes", preset, str(sentences), str(seconds)]
    done = finish(start([command] * SIZE))
    for status, _, error in done:
        if status != 0:
            said = error.strip().splitlines() or [f"exit status {status}"]
            raise Unavailable(f"{' '.join(command[1:])} failed: {said[-1]}")
    values = json.loads(done[0][1].splitlines()[-1])
    timings = {side: Timing(**timing) for side, timing in values.pop("timings").items()}
    return Found(**values, timings=timings)


def _table(title: str, columns: list[Column], found: dict[str, Found], notes: list[str]) -> Table:
    noisy = [name for name, one in found.items() if any(t.noisy for t in one.timings.values())]
    return Table("processes", title, columns, notes=list(notes), noisy=noisy)


def _range(table: Table, column: int) -> str:
    values = [float(row[column] or 0.0) for row in table.rows]
    return f"{min(values):.2f} to {max(values):.2f}"


class _Mean(nn.Module):
    """The loss as DistributedDataParallel wants it, which divides by the number of processes."""

    def __init__(self, model: Transformer, size: int) -> None:
        super().__init__()
        self.model = model
        self._size = size

    def forward(self, src: Packed, tgt: Packed, predicted: int) -> Tensor:
        return self.model.loss(src, tgt, reduction="sum") * (self._size / predicted)


class _Steps:
    """One step of each side, each with a model of its own; all begin with the same numbers."""

    def __init__(
        self, config: TransformerConfig, sentences: int, processes: Processes, dtype: torch.dtype
    ) -> None:
        self._processes = processes
        self._whole = train_step.batch(train_step.Data(sentences * processes.size), even=False)
        self._own = _share(self._whole, processes)
        src, tgt = self._whole
        self.predicted = int(tgt.values.shape[0] - tgt.lengths.shape[0])
        self.tokens = int(src.values.shape[0]) + self.predicted
        self.models: dict[str, Transformer] = {}
        self._optimizers: dict[str, torch.optim.Optimizer] = {}
        for side in (OVERLAPPED, FLAT, DDP, *([ALONE] if processes.first else [])):
            torch.manual_seed(1)
            self.models[side] = Transformer(config).to(dtype)
            self._optimizers[side] = train_step.adam(self.models[side])
        self._exchange = GradientExchange(list(self.models[OVERLAPPED].parameters()), processes)
        parallel = _Mean(self.models[DDP], processes.size)
        self._parallel = nn.parallel.DistributedDataParallel(parallel, gradient_as_bucket_view=True)

    def sides(self) -> dict[str, Callable[[], None]]:
        """A whole step of each."""
        return {side: lambda side=side: self._step(side) for side in (OVERLAPPED, FLAT, DDP, ALONE)}  # type: ignore[misc]

    def gradients(self, side: str) -> None:
        """All but the update. Nothing, where another process works alone."""
        if side not in self.models:
            return
        self._optimizers[side].zero_grad()
        if side == DDP:
            self._parallel(*self._own, self.predicted).backward()
            return
        src, tgt = self._whole if side == ALONE else self._own
        loss = self.models[side].loss(src, tgt, reduction="sum") / self.predicted
        if side == OVERLAPPED:
            with self._exchange.overlapping():
                loss.backward()
            self._exchange.finish()
            return
        loss.backward()
        if side == FLAT:
            self._sum_at_once()

    def _step(self, side: str) -> None:
        self.gradients(side)
        if side in self.models:
            self._optimizers[side].step()

    def _sum_at_once(self) -> None:
        gradients = [p.grad for p in self.models[FLAT].parameters() if p.grad is not None]
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        self._processes.wait(self._processes.begin_sum(flat))
        parts = flat.split([gradient.numel() for gradient in gradients])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view_as(gradient))


def _share(pairs: tuple[Packed, Packed], processes: Processes) -> tuple[Packed, Packed]:
    """The sentences of this process: every second one of two."""
    src, tgt = (pack(side.unpack()[processes.rank :: processes.size]) for side in pairs)
    return src, tgt


def _check(config: TransformerConfig, processes: Processes) -> None:
    """Hold the gradients of all sides against those of one process, in float64."""
    # relu's slope at 0 is decided by rounding.
    still = replace(
        config, dropout=0.0, attention_dropout=0.0, activation_dropout=0.0, activation="silu"
    )
    steps = _Steps(still, CHECKED_SENTENCES, processes, torch.float64)
    for side in steps.sides():
        steps.gradients(side)
    if not processes.first:
        return
    expected = dict(steps.models[ALONE].named_parameters())
    for side in (OVERLAPPED, FLAT, DDP):
        for name, parameter in steps.models[side].named_parameters():
            found, wanted = parameter.grad, expected[name].grad
            assert found is not None
            assert wanted is not None
            assert_close(found, wanted, length=config.vocab_size, name=f"{side}: {name}")


def main(preset: str, sentences: int, seconds: float) -> None:
    """Measure as one of the processes."""
    with join("cpu") as processes:
        found = _measure(preset, sentences, seconds, processes)
        # DistributedDataParallel holds the group, and hangs if it goes after it.
        gc.collect()
    if processes.first:
        print(json.dumps(asdict(found)))


def _measure(preset: str, sentences: int, seconds: float, processes: Processes) -> Found:
    config = train_step.config_of(preset, train_step.DROPOUT)
    _check(config, processes)
    steps = _Steps(config, sentences, processes, torch.float32)

    def prepare(side: str) -> None:
        torch.set_num_threads(processes.size if side == ALONE and processes.first else 1)
        dist.barrier()

    def agree(time_is_left: bool) -> bool:
        """As the first process says: all have to make equally many rounds."""
        return processes.gather(time_is_left)[0]

    timings = alternate(steps.sides(), seconds, before=prepare, agree=agree)
    count = sum(parameter.numel() for parameter in steps.models[OVERLAPPED].parameters())
    return Found(count, steps.tokens, timings)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
