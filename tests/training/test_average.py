"""Averages of checkpoints: their arithmetic, which ones are taken and kept, what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from pytransformer.directory import load_model
from pytransformer.errors import UserError
from pytransformer.training import shelf, train
from pytransformer.training.average import average, best_steps, last_steps
from pytransformer.training.validation import Validation
from tests.cases.micro_run import config, read_log


@pytest.fixture(scope="module")
def run(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve updates, all kept, every third one scored."""
    output = tmp_path_factory.mktemp("runs") / "run"
    changes = {"checkpoints__every_steps": 1, "checkpoints__keep": 12, "validation__every_steps": 3}
    train(config(data, output, **changes))
    return output


def _write(output: Path, step: int, validated_step: int, loss: float | None, bleu: float) -> None:
    """A checkpoint without its tensors."""
    scores = {"validated_step": validated_step, "validated_loss": loss, "validated_bleu": bleu}
    (output / f"step-{step}").mkdir(parents=True)
    (output / f"step-{step}" / "state.json").write_text(json.dumps({"state": scores}))


def test_the_mean_is_that_of_float64(run: Path, tmp_path: Path) -> None:
    steps = [3, 7, 12]
    average(run, steps, tmp_path / "model")
    model, tokenizer = load_model(tmp_path / "model")
    assert tokenizer.vocab_size == model.config.vocab_size
    parts = [load_file(run / f"step-{step}" / "model.safetensors") for step in steps]
    for name, found in model.state_dict().items():
        expected = torch.stack([part[name].double() for part in parts]).mean(0)
        assert torch.equal(found, expected.float()), name
    assert not torch.equal(found, parts[0][name])


def test_of_one_is_itself(run: Path, tmp_path: Path) -> None:
    average(run, [5], tmp_path / "model")
    weights = load_file(run / "step-5" / "model.safetensors")
    for name, found in load_model(tmp_path / "model")[0].state_dict().items():
        assert torch.equal(found, weights[name]), name
    told, of_run = (
        json.loads((model / "training.json").read_text(encoding="utf-8"))
        for model in (tmp_path / "model", run / "model")
    )
    assert told["average_of"] == [5]
    assert "validation" not in told  # nobody has judged it
    assert told["config"] == of_run["config"]


def test_the_latest_and_the_best_are_found(run: Path) -> None:
    assert last_steps(run, 3) == [10, 11, 12]
    scores = {
        entry["step"]: Validation(entry["loss"], entry["bleu"]) for entry in read_log(run, "valid")
    }
    assert list(scores) == [3, 6, 9, 12]
    ranked = sorted(scores, key=lambda step: scores[step].rank("bleu"), reverse=True)
    assert best_steps(run, 2) == sorted(ranked[:2])
    assert best_steps(run, 4) == [3, 6, 9, 12]


def test_too_many_and_other_directories_are_refused(run: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"12 checkpoints \(step-1, .*\), not 13; .* keep = 13"):
        last_steps(run, 13)
    with pytest.raises(UserError, match=r"4 validated checkpoints .*, not 5; .* keep_best = 5"):
        best_steps(run, 5)
    for choose in (last_steps, best_steps):
        with pytest.raises(UserError, match="holds no checkpoints; name the"):
            choose(tmp_path, 1)
    with pytest.raises(UserError, match="step-99 is no whole checkpoint"):
        average(run, [99], tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_a_damaged_checkpoint_is_refused(run: Path, tmp_path: Path) -> None:
    path = run / "step-2" / "model.safetensors"
    whole = path.read_bytes()
    try:
        path.write_bytes(bytes([*whole[:-9], whole[-9] ^ 1, *whole[-8:]]))
        with pytest.raises(UserError, match=r"step-2/model\.safetensors has changed"):
            average(run, [1, 2], tmp_path / "model")
    finally:
        path.write_bytes(whole)


def test_the_order_of_checkpoints_is_that_of_their_scores(tmp_path: Path) -> None:
    _write(tmp_path, 10, 10, loss=2.0, bleu=20.0)
    _write(tmp_path, 20, 20, loss=1.5, bleu=10.0)
    _write(tmp_path, 30, 30, loss=1.8, bleu=30.0)
    _write(tmp_path, 40, 40, loss=1.8, bleu=30.0)  # no better than the one before
    _write(tmp_path, 50, 40, loss=0.1, bleu=99.0)  # the scores of another one
    _write(tmp_path, 60, 60, loss=None, bleu=99.0)  # its loss was not finite
    _write(tmp_path, 70, 70, loss=1.0, bleu=99.0)
    (tmp_path / "step-70" / "state.json").write_text("{")
    (tmp_path / "step-80").mkdir()
    assert shelf.best_steps(tmp_path, "bleu") == [30, 40, 10, 20]
    assert shelf.best_steps(tmp_path, "loss") == [20, 30, 40, 10]
    middle = Validation(loss=1.9, bleu=20.0)
    assert shelf.count_better(tmp_path, 35, middle, "bleu") == 1
    assert shelf.count_better(tmp_path, 45, middle, "bleu") == 2
    assert shelf.count_better(tmp_path, 45, middle, "loss") == 3


def test_the_best_and_the_latest_are_kept(tmp_path: Path) -> None:
    for step, bleu in ((1, 9.0), (2, 1.0), (3, 8.0), (4, 2.0), (5, 3.0)):
        _write(tmp_path, step, step, loss=1.0, bleu=bleu)
    (tmp_path / "last").symlink_to("step-4")
    shelf.prune(tmp_path, keep=1, keep_best=2, metric="bleu")
    assert shelf.steps(tmp_path) == [1, 3, 4, 5]


def test_a_run_keeps_several_of_the_best(data: Path, tmp_path: Path) -> None:
    changes = {"checkpoints__keep_best": 3, "checkpoints__keep": 1, "validation__metric": "loss"}
    train(config(data, tmp_path, validation__every_steps=2, **changes))
    scores = {entry["step"]: entry["loss"] for entry in read_log(tmp_path, "valid")}
    assert len(scores) == 6
    kept = sorted({*sorted(scores, key=lambda step: scores[step])[:3], 12})
    assert shelf.steps(tmp_path) == kept
