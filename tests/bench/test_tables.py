"""What is measured besides time beside peers: parts of a step, memory, growth, instruction sets."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from bench import instruction_sets, linear, memory, overhead, processes, scaling, train_step
from bench.case import OURS, TORCH, Case
from bench.child import Unavailable, run_child
from bench.instruction_sets import compare, running
from bench.overhead import Parts, typical
from bench.resident import Growth, peak_growth
from bench.settings import Settings
from bench.timing import Timing
from pytransformer import _C, Transformer
from tests.cases.backend import native_only


def test_what_is_neither_kernel_nor_update_is_outside() -> None:
    parts = Parts(step=10.0, update=2.0, kernels={"matmul": (3, 4.0), "embedding": (1, 1.0)})
    assert (parts.inside, parts.outside) == (5.0, 3.0)


def test_a_typical_step_is_the_mean_of_the_middle_half() -> None:
    samples = [Parts(step, 1.0, {"matmul": (1, step / 2)}) for step in (100.0, 2.0, 4.0, 1.0)]
    assert typical(samples) == Parts(3.0, 1.0, {"matmul": (1.0, 1.5)})


def test_kernels_that_few_steps_call_count_for_what_they_are() -> None:
    samples = [Parts(1.0, 0.0, {"matmul": (1, 0.5)}), Parts(1.0, 0.0, {})]
    assert typical(samples).kernels == {"matmul": (0.5, 0.25)}


@native_only
def test_the_parts_of_a_step_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overhead, "SETTINGS", ((1, torch.float32),))
    parts, kernels = overhead.tables(Settings(0.0))
    assert parts.rows[0][0] == "tiny, 1 sentences float32"
    assert "matmul" in [row[0] for row in kernels.rows]
    assert [row[0] for row in kernels.rows[-3:]] == ["fused Adam (torch)", "outside", "step"]


def test_a_step_that_fails_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    def run_child(*arguments: str) -> object:
        raise Unavailable(f"{' '.join(arguments)} failed: SIGKILL")

    monkeypatch.setattr(overhead, "run_child", run_child)
    (parts,) = overhead.tables(Settings(0.5))
    assert parts.notes[0] == "bench.overhead 64 float32 0.5 failed: SIGKILL"
    assert (len(parts.notes), parts.rows, parts.summary) == (3, [], "")


def test_memory_is_compared_and_a_loss_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def measure(work: str, size: str, side: str) -> Growth:
        if size == "base" and side == TORCH:
            raise Unavailable("base failed: SIGKILL")
        return Growth(2_000_000 if side == OURS else 1_000_000 if size == "tiny" else 8_000_000)

    monkeypatch.setattr(memory, "measure", measure)
    (table,) = memory.tables(Settings())
    rows = {str(row[0]): [*row[1:]] for row in table.rows}
    assert rows["train_step tiny, 3 steps"] == [2.0, 1.0, 0.5]
    assert rows["train_step base, 3 steps"] == [2.0, None, None]
    assert table.notes == ["base failed: SIGKILL"]
    assert table.losses == ["train_step tiny, 3 steps: torch needs 0.50 of our memory"]
    assert table.summary == "torch needs 0.50 to 4.00 times as much memory"


def test_memory_that_is_touched_counts() -> None:
    assert peak_growth(lambda: b"x" * (64 << 20)).bytes > 32 << 20


def test_a_process_that_fails_says_why() -> None:
    with pytest.raises(Unavailable, match=r"bench\.memory nothing failed: TypeError"):
        run_child("bench.memory", "nothing")


@native_only
def test_growth_is_summed_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "measure", lambda *_: Growth(1_000_000))
    table = scaling.lengths((8, 16), seconds=0.0)
    assert [row[0] for row in table.rows] == ["8", "16"]
    assert table.summary.startswith("attention takes ")
    assert table.summary.endswith(", and needs 125.00 KB/length at 8, 62.50 at 16")
    assert scaling.batches((1, 2), seconds=0.0).summary.startswith("a step of tiny takes ")


@native_only
def test_one_core_has_no_second_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scaling.os, "sched_getaffinity", lambda _: {0})
    table = scaling.threads(seconds=0.0)
    assert not table.rows
    assert "1 core" in table.notes[0]


@native_only
def test_threads_are_compared_and_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scaling.os, "sched_getaffinity", lambda _: {0, 1})
    monkeypatch.setattr(scaling, "_threaded_cases", _small)
    before = torch.get_num_threads()
    table = scaling.threads(seconds=0.0)
    assert torch.get_num_threads() == before
    assert [row[0] for row in table.rows] == ["linear 2 x 3 -> 4"]
    assert table.summary.startswith("2 threads are ")


def test_sets_that_do_not_run_here_are_left_out() -> None:
    sets = [("avx512_bf16", False), ("avx512", True), ("avx2", True), ("generic", True)]
    assert running(sets) == ["avx512", "avx2", "generic"]


@native_only
def test_every_set_is_compared_with_the_best() -> None:
    names = running(_C.instruction_sets())
    before = _C.isa()
    table = compare(_small(), names, seconds=0.0)
    assert _C.isa() == before
    if len(names) == 1:
        assert "the only one" in table.notes[0]
    else:
        assert [column.name for column in table.columns[2:]] == [
            f"{name} of {names[0]}" for name in names[1:]
        ]
        assert len(table.rows) == 1


def test_a_single_set_has_nothing_to_be_compared_with() -> None:
    table = instruction_sets.compare(_small(), ["generic"], seconds=0.0)
    assert table.notes == ["left out: generic is the only one that runs here"]


@native_only
def test_two_processes_take_turns() -> None:
    found = processes.measure("tiny", sentences=1, seconds=0.0)
    assert found.timings.keys() == {
        processes.OVERLAPPED, processes.FLAT, processes.DDP, processes.ALONE,
    }  # fmt: skip
    assert all(timing.median > 0 and timing.samples == 5 for timing in found.timings.values())
    config = train_step.config_of("tiny", 0.1)
    assert found.parameters == sum(p.numel() for p in Transformer(config).parameters())
    assert 2 * 2 * 12 <= found.tokens <= 2 * 2 * 24


def test_ways_of_summing_are_compared_and_a_loss_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def measure(preset: str, sentences: int, seconds: float) -> processes.Found:
        if preset == "base":
            raise Unavailable("base failed: SIGKILL")
        taken = {processes.OVERLAPPED: 1.0, processes.FLAT: 2.0, processes.DDP: 0.5}
        return processes.Found(1_000_000, 3000, {
            side: Timing(median, median, median, 5, 0, noisy=False)
            for side, median in {**taken, processes.ALONE: 1.5}.items()
        })  # fmt: skip

    monkeypatch.setattr(processes, "measure", measure)
    sums, beside = processes.tables(Settings())
    assert sums.rows == [[preset, 4.0, 1e3, 2.0, 0.5] for preset in ("tiny", "small")]
    assert sums.losses[0] == ("tiny, 2 processes: DistributedDataParallel takes 0.50 of our time")
    assert len(sums.losses) == 2
    assert beside.rows == [[name, 3000, 3000.0, 2000.0, 1.5] for name in ("tiny", "small")]
    assert beside.summary == "2 processes are 1.50 to 1.50 times as fast as 2 threads"
    assert sums.notes == beside.notes == ["base failed: SIGKILL"]


def test_a_process_of_two_that_fails_says_why() -> None:
    with pytest.raises(Unavailable, match=r"bench\.processes nothing 1 0\.0 failed: .*nothing"):
        processes.measure("nothing", 1, 0.0)


def _small() -> Iterator[tuple[str, Case]]:
    yield "linear", linear.case(2, 3, 4, torch.float32)
