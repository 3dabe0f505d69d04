"""Whole runs of a micro model: learning, resuming to the bit, refusing what does not fit."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from pytransformer import ops
from pytransformer.data import ParallelDataset, TokenBatches
from pytransformer.directory import load_model
from pytransformer.errors import UserError
from pytransformer.training import train
from pytransformer.training.log import Log
from tests.cases.micro_run import config, losses, read_log, same_bits


def test_a_run_learns_and_leaves_a_model(data: Path, tmp_path: Path) -> None:
    output = tmp_path / "run"
    outcome = train(config(data, output, training__max_steps=40, validation__every_steps=20))
    seen = losses(output)
    assert len(seen) == 40
    assert sum(seen[-5:]) / 5 < 0.8 * seen[0]
    valid = read_log(output, "valid")
    assert [entry["step"] for entry in valid] == [20, 40]
    assert valid[1]["loss"] < valid[0]["loss"]
    assert outcome.signal is None
    assert outcome.state.best_step == 40
    assert outcome.model_directory == output / "model"
    model, tokenizer = load_model(output / "model")
    assert tokenizer.vocab_size == model.config.vocab_size
    weights = load_file(output / "best" / "model.safetensors")
    for name, parameter in model.state_dict().items():
        assert torch.equal(parameter, weights[name]), name


def test_the_model_tells_how_it_was_made(data: Path, tmp_path: Path) -> None:
    output = tmp_path / "run"
    train(config(data, output, validation__every_steps=4))
    told = json.loads((output / "model" / "training.json").read_text(encoding="utf-8"))
    best = max(read_log(output, "valid"), key=lambda entry: (entry["bleu"], -entry["loss"]))
    assert told["step"] == best["step"]
    assert told["validation"] == {"loss": best["loss"], "bleu": best["bleu"]}
    assert "tok:13a" in told["bleu_signature"]
    assert told["config"] == tomllib.loads((output / "config.toml").read_text())
    info = json.loads((data / "info.json").read_text(encoding="utf-8"))
    assert told["data"] == [{"raw": info["raw"], "files": info["files"]}]
    assert told["versions"]["torch"] == torch.__version__
    assert told["arithmetic"]


def test_log_lines_say_what_happened(data: Path, tmp_path: Path) -> None:
    output = tmp_path / "run"
    train(config(data, output, training__clip_norm=0.5))
    lines = read_log(output)
    assert [line["step"] for line in lines] == list(range(1, 13))
    assert [line["learning_rate"] for line in lines[:5]] == pytest.approx(
        [0.0025, 0.005, 0.0075, 0.01, 0.01 * (4 / 5) ** 0.5]
    )
    for before, after in itertools.pairwise(lines):
        assert before["epoch"] < after["epoch"]
        assert before["seconds"] <= after["seconds"]
    assert all(line["tokens_per_second"] > 0 and line["grad_norm"] > 0 for line in lines)


@pytest.mark.parametrize("accumulate", [1, 3])
def test_the_log_says_what_padding_would_have_cost(
    data: Path, tmp_path: Path, accumulate: int
) -> None:
    output = tmp_path / "run"
    train(config(data, output, training__max_steps=2, training__accumulate=accumulate))
    batches = itertools.islice(TokenBatches(ParallelDataset(data), 300, seed=1).epoch(0), 6)
    rows, padded = [], []
    for batch in batches:
        # The end of a target is only predicted: a row less for each pair.
        lengths = [batch.src.cu_seqlens.diff(), batch.tgt.cu_seqlens.diff() - 1]
        rows.append(sum(int(side.sum()) for side in lengths))
        padded.append(sum(len(side) * int(side.max()) for side in lengths))
    for step, line in enumerate(read_log(output)):
        own = slice(step * accumulate, (step + 1) * accumulate)
        expected = 1 - sum(rows[own]) / sum(padded[own])
        assert expected > 0
        assert line["padding_saved"] == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"training__accumulate": 2, "training__clip_norm": 0.5},
        {"data__bpe_dropout": 0.3, "training__accumulate": 2},
        {"training__optimizer": "muon", "training__weight_decay": 0.1},
    ],
)
def test_resume_gives_the_bits_of_an_uninterrupted_run(
    data: Path, tmp_path: Path, changes: dict[str, Any]
) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    every = {"validation__every_steps": 5, "model__dropout": 0.2, **changes}
    train(config(data, whole, training__max_steps=15, **every))
    for steps in (4, 9, 15):
        train(config(data, parts, training__max_steps=steps, **every), resume=steps > 4)
    assert losses(parts) == losses(whole)
    assert same_bits(whole, parts)


def test_resume_repeats_what_came_after_the_checkpoint(data: Path, tmp_path: Path) -> None:
    output = tmp_path / "run"
    changes = {"checkpoints__every_steps": 4, "checkpoints__keep": 9}
    train(config(data, output, **changes))
    seen, weights = losses(output), load_file(output / "last" / "model.safetensors")
    (output / "last").unlink()
    (output / "last").symlink_to("step-4")
    train(config(data, output, **changes), resume=True)
    assert losses(output) == seen
    again = load_file(output / "last" / "model.safetensors")
    assert all(torch.equal(again[name], weights[name]) for name in weights)
    assert len(read_log(output, "valid")) == 1


def test_seed_decides_the_run(data: Path, tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        train(config(data, tmp_path / name, training__max_steps=3, training__seed=seed))
    assert losses(tmp_path / "a") == losses(tmp_path / "b")
    assert losses(tmp_path / "a") != losses(tmp_path / "c")


@pytest.mark.skipif(ops.BACKEND == "reference", reason="torch's sums follow its threads")
@pytest.mark.parametrize("optimizer", ["adam", "muon"])
def test_threads_do_not_change_the_run(data: Path, tmp_path: Path, optimizer: str) -> None:
    changes: dict[str, Any] = {"training__optimizer": optimizer, "data__batch_tokens": 2000}
    threads = torch.get_num_threads()
    try:
        for count in (1, 2, 3):
            changes["training__threads"] = count
            train(config(data, tmp_path / str(count), training__max_steps=6, **changes))
    finally:
        torch.set_num_threads(threads)
    for count in (2, 3):
        assert losses(tmp_path / str(count)) == losses(tmp_path / "1")
        assert same_bits(tmp_path / "1", tmp_path / str(count))


def test_bfloat16_keeps_float32_parameters_and_learns(data: Path, tmp_path: Path) -> None:
    output = tmp_path / "run"
    train(config(data, output, training__precision="bfloat16", training__max_steps=30))
    seen = losses(output)
    assert seen[-1] < seen[0]
    assert all(
        tensor.dtype == torch.float32
        for tensor in load_file(output / "last" / "model.safetensors").values()
    )


def test_epochs_limit_a_run(data: Path, tmp_path: Path) -> None:
    outcome = train(config(data, tmp_path / "run", training__max_steps=0, training__max_epochs=1))
    assert (outcome.state.epoch, outcome.state.batch) == (1, 0)


def test_minutes_limit_a_run(data: Path, tmp_path: Path) -> None:
    changes = {"training__max_steps": 0, "training__max_minutes": 0.01}
    outcome = train(config(data, tmp_path / "run", **changes))
    assert outcome.state.step >= 1
    assert outcome.state.seconds >= 0.6


def test_only_recent_and_best_checkpoints_stay(data: Path, tmp_path: Path) -> None:
    output = tmp_path / "run"
    train(config(data, output, checkpoints__every_steps=3, checkpoints__keep=2))
    for name in ("step-15", "model", "last"):
        (output / f".{name}.0123456789abcdef.tmp").mkdir()
    train(config(data, output, training__max_steps=15, checkpoints__keep=2), resume=True)
    assert sorted(path.name for path in output.glob("step-*")) == ["step-12", "step-15"]
    assert not list(output.glob(".*"))


def test_a_taken_output_is_refused(data: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match=r"is not empty; continue the run in it with --resume"):
        train(config(data, tmp_path))
    with pytest.raises(UserError, match=r"notes.txt is a file"):
        train(config(data, tmp_path / "notes.txt"))
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_missing_data_leaves_no_output(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nowhere"):
        train(config(tmp_path / "nowhere", tmp_path / "run"))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("copied", [False, True])
def test_resume_without_links_goes_on_from_the_latest(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], copied: bool
) -> None:
    whole, output = tmp_path / "whole", tmp_path / "run"
    train(config(data, whole))
    train(config(data, output, training__max_steps=8, checkpoints__every_steps=5))
    for name in ("last", "best"):
        (output / name).unlink()
    if not copied:  # a first save that was cut short
        shutil.rmtree(output / "step-5")
        shutil.rmtree(output / "model")
    capsys.readouterr()
    train(config(data, output), resume=True)
    said = capsys.readouterr().err
    assert f"{output}/last was missing: going on from step-8" in said
    assert ("written again from step-8" in said) == (not copied)
    assert losses(output) == losses(whole)
    assert same_bits(whole, output)


def test_resume_of_a_model_alone_touches_nothing(data: Path, tmp_path: Path) -> None:
    output = tmp_path / "run"
    train(config(data, output))
    for name in ("last", "best"):
        (output / name).unlink()
    shutil.rmtree(output / "step-12")
    log = (output / "log.jsonl").read_bytes()
    with pytest.raises(UserError, match=r"it has no checkpoint, but holds config.toml, log.jsonl,"):
        train(config(data, output), resume=True)
    assert (output / "log.jsonl").read_bytes() == log
    assert (output / "model").is_dir()


def test_a_copy_of_a_run_without_links_is_refused(data: Path, tmp_path: Path) -> None:
    output, copy = tmp_path / "run", tmp_path / "copy"
    train(config(data, output, training__max_steps=2))
    shutil.copytree(output, copy)
    with pytest.raises(UserError, match=r"copying made directories of its links") as error:
        train(config(data, copy), resume=True)
    subprocess.run(str(error.value).partition("restore them with: ")[2], shell=True, check=True)
    assert train(config(data, copy), resume=True).state.step == 12


def test_a_missing_model_is_written_again(data: Path, tmp_path: Path) -> None:
    output = tmp_path / "run"
    chosen = config(data, output, training__max_steps=2)
    train(chosen)
    before = {path.name: path.read_bytes() for path in (output / "model").iterdir()}
    shutil.rmtree(output / "model")
    train(chosen, resume=True)
    assert {path.name: path.read_bytes() for path in (output / "model").iterdir()} == before


def test_resume_says_what_has_changed(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "run"
    train(config(data, output, training__max_steps=2))
    assert "changed since" not in capsys.readouterr().err
    (output / "log.jsonl").write_text("")
    changes = {"training__max_steps": 3, "training__learning_rate": 0.02}
    train(config(data, output, **changes), resume=True)
    said = capsys.readouterr().err.splitlines()
    assert said[:4] == [
        "resuming at step 2",
        "changed since: [training] max_steps 2 -> 3",
        "changed since: [training] learning_rate 0.01 -> 0.02",
        f"{output}/log.jsonl has 0 lines, but 3 were written up to step 2: the others are lost",
    ]
    train(config(data, output, **changes), resume=True)
    assert "changed since" not in capsys.readouterr().err


def test_two_processes_do_not_share_an_output(data: Path, tmp_path: Path) -> None:
    train(config(data, tmp_path, training__max_steps=2))
    before = {path: path.read_bytes() for path in tmp_path.glob("*.*")}
    with Log(tmp_path / "log.jsonl", keep_lines=9), pytest.raises(UserError, match="another proc"):
        train(config(data, tmp_path), resume=True)
    assert {path: path.read_bytes() for path in before} == before


def test_resume_without_a_checkpoint_begins(data: Path, tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text("{}\n")
    (tmp_path / ".model.0123456789abcdef.tmp").mkdir()
    train(config(data, tmp_path), resume=True)
    assert [entry["step"] for entry in read_log(tmp_path)] == list(range(1, 13))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model__ff": 48}, r"\[model\] ff was 32 when the run began and is 48 now"),
        ({"training__seed": 9}, r"\[training\] seed was 1 .* 9 now"),
        ({"data__batch_tokens": 400}, r"\[data\] batch_tokens was 300 .* 400 now"),
    ],
)
def test_resume_refuses_another_run(
    data: Path, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    train(config(data, tmp_path / "run", training__max_steps=2))
    with pytest.raises(UserError, match=message):
        train(config(data, tmp_path / "run", **changes), resume=True)
