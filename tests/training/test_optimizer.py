"""Muon against its definition in float64, and through checkpoints."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from pytransformer import Transformer, TransformerConfig
from pytransformer.errors import UserError
from pytransformer.files import write_checksums
from pytransformer.training import checkpoint, train
from pytransformer.training.config import TrainingOptions
from pytransformer.training.optimizer import Muon, create_optimizer, state_names
from tests.cases.micro_run import config

_OPTIONS = TrainingOptions(output="unused", optimizer="muon", muon_scale=0.3, weight_decay=0.02)
_RATE = 0.05


def _model() -> Transformer:
    torch.manual_seed(0)
    config = TransformerConfig.preset("tiny", vocab_size=20, d_model=8, heads=2, ff=24)
    return Transformer(config).double()


def _gradients(model: Transformer, number: int) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(number)
    return {
        name: torch.randn(p.shape, generator=generator, dtype=p.dtype)
        for name, p in model.named_parameters()
    }


def _step(model: Transformer, optimizer: torch.optim.Optimizer, number: int) -> None:
    gradients = _gradients(model, number)
    for name, parameter in model.named_parameters():
        parameter.grad = gradients[name]
    for group in optimizer.param_groups:
        group["lr"] = _RATE
    optimizer.step()


def _near_orthogonal(x: Tensor) -> Tensor:
    u, s, v = torch.linalg.svd(x, full_matrices=False)
    s = s / torch.linalg.vector_norm(s)
    for _ in range(5):
        s = 3.4445 * s - 4.7750 * s**3 + 2.0315 * s**5
    return (u * s) @ v


def _maps(name: str) -> int:
    return 3 if "qkv" in name else 2 if "kv" in name else 1


def _is_matrix(name: str, parameter: Tensor) -> bool:
    return parameter.dim() == 2 and name != "embedding"


def test_matrices_follow_the_definition() -> None:
    model = _model()
    optimizer = create_optimizer(model, _OPTIONS)
    expected = {name: p.detach().clone() for name, p in model.named_parameters()}
    momenta = {name: torch.zeros_like(value) for name, value in expected.items()}
    for number in range(4):
        gradients = _gradients(model, number)
        _step(model, optimizer, number)
        for name, value in expected.items():
            momentum = momenta[name].mul_(0.95).add_(gradients[name], alpha=0.05)
            ahead = 0.95 * momentum + 0.05 * gradients[name]
            value *= 1 - _RATE * 0.02
            for weight, direction in zip(
                value.chunk(_maps(name)), ahead.chunk(_maps(name)), strict=True
            ):
                if _is_matrix(name, value):
                    length = _RATE * 0.3 * max(weight.shape) ** 0.5
                    weight -= length * _near_orthogonal(direction)
    compared = 0
    for name, parameter in model.named_parameters():
        if _is_matrix(name, parameter):
            torch.testing.assert_close(parameter.detach(), expected[name], rtol=0, atol=1e-11)
            compared += 1
    assert compared == 44  # 4 layers of 4 and of 7


def test_all_else_goes_by_adam() -> None:
    one, other = _model(), _model()
    muon = create_optimizer(one, _OPTIONS)
    adam = create_optimizer(other, dataclasses.replace(_OPTIONS, optimizer="adam"))
    assert not isinstance(adam, Muon)
    for number in range(3):
        _step(one, muon, number)
        _step(other, adam, number)
    by_adam = dict(other.named_parameters())
    for name, parameter in one.named_parameters():
        assert torch.equal(parameter, by_adam[name]) != _is_matrix(name, parameter), name


def test_what_is_kept_of_a_parameter() -> None:
    model = _model()
    optimizer = create_optimizer(model, _OPTIONS)
    _step(model, optimizer, 0)
    for parameter in model.parameters():
        assert set(optimizer.state[parameter]) == set(state_names(optimizer, parameter))


def test_an_update_has_the_size_that_was_asked_for() -> None:
    model = _model()
    weight = model.encoder.layers[0].feed_forward.w1
    before = weight.detach().clone()
    options = dataclasses.replace(_OPTIONS, weight_decay=0.0)
    _step(model, create_optimizer(model, options), 0)
    moved = weight.detach() - before
    assert float(moved.square().mean().sqrt()) == pytest.approx(_RATE * 0.3, rel=0.3)


def test_another_optimizers_checkpoint_is_refused(data: Path, tmp_path: Path) -> None:
    output = tmp_path / "run"
    train(config(data, output, training__max_steps=2))
    message = r"\[training\] optimizer was adam when the run began and is muon now"
    with pytest.raises(UserError, match=message):
        train(config(data, output, training__optimizer="muon"), resume=True)


@pytest.mark.parametrize("damage", ["shape", "adam"])
def test_moments_that_do_not_fit_are_refused(data: Path, tmp_path: Path, damage: str) -> None:
    output = tmp_path / "run"
    muon = {"training__optimizer": "muon"}
    train(config(data, output, training__max_steps=2, **muon))
    path = output / "step-2" / "optimizer.safetensors"
    tensors = load_file(path)
    name = "encoder.layers.0.feed_forward.w1.momentum"
    momentum = tensors.pop(name)
    if damage == "shape":
        tensors[name] = momentum.t().contiguous()
    if damage == "adam":
        tensors[name.replace("momentum", "exp_avg")] = momentum
    save_file(tensors, path)
    write_checksums(path.parent, ("model.safetensors", "optimizer.safetensors", "state.json"))
    with pytest.raises(UserError, match=r"w1\.(momentum is missing|exp_avg belongs to nothing)"):
        train(config(data, output, **muon), resume=True)
    assert checkpoint.read_state(path.parent)[0].step == 2


def test_options_out_of_range_are_named(data: Path, tmp_path: Path) -> None:
    for key, value in {"optimizer": "sgd", "muon_momentum": 1.0, "muon_scale": 0.0}.items():
        with pytest.raises(UserError, match=rf"\[training\] {key} = "):
            config(data, tmp_path, **{f"training__{key}": value})
