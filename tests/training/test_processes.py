"""Several processes train as one: the same updates, the same bits after a stop, no hanging."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from pytransformer import ops
from pytransformer.data import ParallelDataset, TokenBatches
from pytransformer.training import train
from pytransformer.training.processes import Processes
from pytransformer.training.stream import BatchStream, deal
from tests.cases.device import cpu_only
from tests.cases.micro_run import config, losses, read_log, same_bits, told, write_config
from tests.cases.processes import LOCAL, ROOT, SECONDS, finish, start, train_together

pytestmark = [
    cpu_only,
    pytest.mark.skipif(
        ops.BACKEND == "reference", reason="what processes tell each other is the same for it"
    ),
]


@pytest.mark.parametrize("bpe_dropout", [0.0, 0.3])
def test_one_two_and_four_make_the_same_updates(
    data: Path, tmp_path: Path, bpe_dropout: float
) -> None:
    """With pieces drawn, too: which process draws them changes nothing."""
    parameters = {}
    for size in (1, 2, 4):
        path = tmp_path / f"{size}.safetensors"
        arguments = [str(data), str(bpe_dropout), str(4 // size), str(path)]
        command = ["-m", "tests.cases.updates_in_float64", *arguments]
        for status, _, error in finish(start([command] * size)):
            assert status == 0, error
        parameters[size] = load_file(path)
    for size in (2, 4):
        for name, expected in parameters[1].items():
            torch.testing.assert_close(parameters[size][name], expected, rtol=0, atol=1e-9)


def test_two_learn_and_go_on_to_the_bit(data: Path, tmp_path: Path) -> None:
    changes = {"validation__every_steps": 4, "validation__max_sentences": 5, "model__dropout": 0.2}
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    configs = {
        output: write_config(output.with_suffix(".toml"), data, output, **changes)
        for output in (whole, parts)
    }
    done = train_together(2, configs[whole])
    assert [status for status, _, _ in done] == [0, 0], done
    assert "Done: 12 updates" in done[0][1]
    assert "step 4: validation loss" in done[0][2]
    assert done[1][1] == ""
    assert done[1][2] == ""
    for steps in (5, 12):
        resume = ["--resume"] if steps > 5 else []
        options = ["--set", f"training.max_steps={steps}", *resume]
        done = train_together(2, configs[parts], *options)
        assert [status for status, _, _ in done] == [0, 0], done
    samples = [entry["samples"] for entry in read_log(whole, "valid")]
    texts = ParallelDataset(data, "valid").source_text()
    assert [[one["source"] for one in some] for some in samples] == [
        [texts[0], texts[2], texts[6]]  # of texts 0, 2, 4, 6 and 8
    ] * 3
    assert len(losses(whole)) == 12
    assert losses(parts) == losses(whole)
    assert same_bits(whole, parts)
    generators = load_file(whole / "last" / "optimizer.safetensors")
    assert not torch.equal(generators["generator.0"], generators["generator.1"])
    # More or fewer go on too, and say that it is another run from there.
    ((status, _, error),) = train_together(
        1, configs[parts], "--resume", "--set", "training.max_steps=13"
    )
    assert status == 0
    assert "processes: 2 -> 1; the run goes on, but" in error


def test_both_lose_patience_at_once(data: Path, tmp_path: Path) -> None:
    changes = {"training__learning_rate": 1e-30, "validation__every_steps": 1}  # nothing is learnt
    output = tmp_path / "run"
    path = write_config(tmp_path / "train.toml", data, output, validation__patience=2, **changes)
    done = train_together(2, path)
    assert [status for status, _, _ in done] == [0, 0], done
    assert "Done: 3 updates, up to [validation] patience = 2: no better score" in done[0][1]


def test_torchrun_starts_them(data: Path, tmp_path: Path) -> None:
    path = write_config(tmp_path / "train.toml", data, tmp_path / "run", training__max_steps=2)
    done = _torchrun("-m", "pytransformer", "train", str(path))
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Done: 2 updates") == 1
    assert [entry["step"] for entry in read_log(tmp_path / "run")] == [1, 2]


def test_torchrun_starts_them_again(data: Path, tmp_path: Path) -> None:
    changes = {"checkpoints__every_steps": 4, "model__dropout": 0.2}
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    configs = {
        output: write_config(output.with_suffix(".toml"), data, output, **changes)
        for output in (whole, killed)
    }
    alone = train_together(2, configs[whole])
    assert [status for status, _, _ in alone] == [0, 0], alone
    # One before there is a checkpoint, the other three updates after one.
    moments = ["1:2", "0:7"]
    markers = tmp_path / "markers"
    markers.mkdir()
    program = ["-m", "tests.cases.killed_once", str(markers), ",".join(moments)]
    done = _torchrun("--max-restarts", "2", *program, str(configs[killed]), "--resume")
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in markers.iterdir()) == sorted(moments)
    said = [line for line in done.stderr.splitlines() if line.startswith(("no checkp", "resuming"))]
    assert said == ["no checkpoint yet: starting anew"] * 2 + ["resuming at step 4"]
    for kind in ("train", "valid"):
        assert told(killed, kind) == told(whole, kind)
    assert same_bits(whole, killed)


def test_a_signal_to_torchrun_saves(data: Path, tmp_path: Path) -> None:
    output = tmp_path / "run"
    path = write_config(tmp_path / "train.toml", data, output, training__max_steps=100_000)
    command = [*_TORCHRUN, "--max-restarts", "2", "-m", "pytransformer", "train", str(path)]
    process = subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, **LOCAL},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    _wait_for_updates(output, [process])
    process.send_signal(signal.SIGTERM)
    ((_, said, _),) = finish([process])
    step = read_log(output)[-1]["step"]
    assert f"Stopped at step {step:,}; saved in {output}/last" in said
    assert (output / "last").resolve().name == f"step-{step}"


_TORCHRUN = [
    *(sys.executable, "-m", "torch.distributed.run"),
    *("--standalone", "--nproc-per-node", "2", "--local-addr", "127.0.0.1"),
]


def _torchrun(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Two processes of this machine."""
    return subprocess.run(
        [*_TORCHRUN, *arguments],
        cwd=ROOT, env={**os.environ, **LOCAL},
        capture_output=True, text=True, timeout=SECONDS, check=False,
    )  # fmt: skip


def test_processes_meet_once_an_update(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    met, gather = [], Processes.gather_numbers

    def gather_and_count(self: Processes, numbers: Sequence[float]) -> list[list[float]]:
        met.append(len(numbers))
        return gather(self, numbers)

    monkeypatch.setattr(Processes, "gather_numbers", gather_and_count)
    train(config(data, tmp_path / "run", training__max_steps=5))
    assert len(met) == 5 + 2  # and after the validation and the save at the end


def _wait_for_updates(output: Path, processes: list[subprocess.Popen[str]]) -> None:
    for _ in range(600):
        if (output / "log.jsonl").exists() and (output / "log.jsonl").stat().st_size > 0:
            return
        if any(process.poll() is not None for process in processes):
            break
        time.sleep(0.1)
    raise AssertionError(finish(processes))


def test_a_signal_to_one_stops_all_and_saves(data: Path, tmp_path: Path) -> None:
    output = tmp_path / "run"
    path = write_config(tmp_path / "train.toml", data, output, training__max_steps=100_000)
    processes = start([["-m", "pytransformer", "train", str(path)]] * 2)
    _wait_for_updates(output, processes)
    processes[1].send_signal(signal.SIGTERM)
    done = finish(processes)
    assert [status for status, _, _ in done] == [143, 143], done
    step = read_log(output)[-1]["step"]
    assert f"Stopped at step {step:,}; saved in {output}/last" in done[0][1]
    assert (output / "last").resolve().name == f"step-{step}"


@pytest.mark.parametrize("victim", [0, 1])
def test_the_end_of_one_ends_the_other(data: Path, tmp_path: Path, victim: int) -> None:
    output = tmp_path / "run"
    path = write_config(tmp_path / "train.toml", data, output, training__max_steps=100_000)
    processes = start([["-m", "pytransformer", "train", str(path)]] * 2)
    _wait_for_updates(output, processes)
    processes[victim].kill()
    done = finish(processes)
    status, _, error = done[1 - victim]
    assert status == 1
    assert "another process of this run ended or cannot be reached" in error
    assert "Traceback" not in error


def test_those_that_do_not_belong_together_are_refused(data: Path, tmp_path: Path) -> None:
    path = write_config(tmp_path / "train.toml", data, tmp_path / "run")
    command = ["-m", "pytransformer", "train", str(path)]
    done = finish(start([command, [*command, "--set", "training.seed=2"]]))
    for status, _, error in done:
        assert status == 1
        assert "process 1 begins at step 0 and process 0 at step 0, or their data or conf" in error
    assert not (tmp_path / "run").exists()


def test_batches_are_dealt_evenly() -> None:
    costs = [10, 90, 30, 70, 50, 20, 80, 60]
    for size in (1, 2, 4):
        parts = [deal(costs, rank, size) for rank in range(size)]
        assert sorted(index for part in parts for index in part) == list(range(8))
        assert {len(part) for part in parts} == {8 // size}
        assert all(part == sorted(part) for part in parts)
        sums = [sum(costs[index] for index in part) for part in parts]
        assert max(sums) - min(sums) <= 20


def test_the_stream_gives_each_its_share(data: Path) -> None:
    batches = TokenBatches(ParallelDataset(data), 300, seed=1)
    alone = BatchStream(batches, 0, 0)
    several = [BatchStream(batches, 0, 0, rank, 2) for rank in range(2)]
    for _ in range(batches.batches_per_epoch(0)):  # across the end of a pass
        whole, shares = alone.take(4), [stream.take(2) for stream in several]
        for share in shares:
            assert (share.predicted, share.tokens) == (whole.predicted, whole.tokens)
            assert share.padding_saved == whole.padding_saved
        parts = [batch for share in shares for batch in share.batches]
        assert sum(batch.tokens_target for batch in parts) == whole.predicted
        values = [np.sort(np.concatenate([batch.src.values.numpy() for batch in some]))
                  for some in (parts, whole.batches)]  # fmt: skip
        assert np.array_equal(*values)
        assert {stream.position for stream in several} == {alone.position}
