"""Checkpoints: everything a run needs to go on as if it had never stopped.

``OUTPUT/step-N/`` holds ``model.safetensors`` (parameters under their own names),
``optimizer.safetensors`` (Adam's moments as ``NAME.exp_avg``, ``NAME.exp_avg_sq``, ``NAME.step``,
Muon's as ``NAME.momentum``, and torch's generators as ``generator.RANK``, one for each process),
``state.json`` and ``checksums.json``. ``OUTPUT/last`` and ``OUTPUT/best`` are links to such
directories. Each appears whole under its name or not at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from pytransformer.directory import save_tensors
from pytransformer.errors import UserError
from pytransformer.files import (
    atomic_directory,
    atomic_link,
    read_json,
    verify_checksums,
    write_checksums,
    write_json,
)
from pytransformer.training.optimizer import state_names
from pytransformer.training.shelf import BEST, LAST, STATE, link_command, place
from pytransformer.training.state import TrainingState

_MODEL = "model.safetensors"
_OPTIMIZER = "optimizer.safetensors"
_FILES = (_MODEL, _OPTIMIZER, STATE)
_GENERATOR = "generator"


def save(
    output: Path,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    state: TrainingState,
    identity: dict[str, Any],
    generators: Sequence[Tensor],
) -> None:
    """Write ``output/step-N`` for ``N = state.step``; ``link`` lets the links point to it.

    Args:
        output: the directory of the run.
        model: its parameters are saved.
        optimizer: its moments are saved; it holds the parameters in the order of the model.
        state: the counters.
        identity: plain values that a resumed run must share, compared by its caller.
        generators: the states of the processes' generators, by rank.

    Raises:
        UserError: if the disk is full; earlier checkpoints are then as they were.
    """
    with atomic_directory(place(output, state.step), replace=True) as temporary:
        save_tensors(temporary / _MODEL, model.state_dict())
        moments = _optimizer_tensors(model, optimizer)
        states = {f"{_GENERATOR}.{rank}": state for rank, state in enumerate(generators)}
        save_tensors(temporary / _OPTIMIZER, {**moments, **states})
        write_json(temporary / STATE, {"state": state.to_dict(), "identity": identity})
        write_checksums(temporary, _FILES)


def link(output: Path, state: TrainingState) -> None:
    """Let ``last`` point to ``output/step-N`` for ``N = state.step``, and ``best`` if it is.

    ``last`` comes last, so that a run resumed from it finds everything that belongs to it.
    """
    name = place(output, state.step).name
    if state.best_step == state.step:
        atomic_link(output / BEST, name)
    atomic_link(output / LAST, name)


def read_state(directory: Path) -> tuple[TrainingState, dict[str, Any]]:
    """The counters and the identity of a checkpoint, after all its checksums were compared.

    Raises:
        UserError: if a file is missing, truncated or changed; the message names it.
    """
    remedy = _remedy(directory)
    if not (directory / "checksums.json").is_file():
        raise UserError(f"{directory} is no whole checkpoint (no checksums.json); {remedy}")
    verify_checksums(directory, remedy, required=_FILES)
    values = read_json(directory / STATE, remedy)
    try:
        state, identity = TrainingState.from_dict(values.get("state")), values.get("identity")
        if not isinstance(identity, dict):
            raise ValueError(f"the identity is {identity!r}")
    except ValueError as error:
        raise UserError(
            f"{directory / STATE} is damaged or of another version: {error}; {remedy}"
        ) from error
    return state, identity


def load_weights(directory: Path, model: nn.Module) -> None:
    """Put the parameters of a checkpoint into ``model``.

    Raises:
        UserError: if they are not those of this model; the message names the first difference.
    """
    _load_parameters(model, _load_tensors(directory / _MODEL), directory / _MODEL)


def restore(
    directory: Path,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    rank: int = 0,
    size: int = 1,
) -> None:
    """Put the parameters and the optimizer's moments back as they were, and torch's generator.

    Where there are more or fewer processes than there were, the generator stays as it is.

    Raises:
        UserError: as ``load_weights``.
    """
    load_weights(directory, model)
    path = directory / _OPTIMIZER
    tensors = _load_tensors(path)
    generators = _take_generators(tensors, path)
    moments = _sorted_moments(tensors, model, optimizer, path)
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": moments, "param_groups": groups})
    if len(generators) != size:
        return
    try:
        torch.set_rng_state(generators[rank])
    except (RuntimeError, TypeError) as error:
        raise UserError(
            f"{path}: {_GENERATOR}.{rank} is no state of this torch's generator; "
            f"{_remedy(directory)}"
        ) from error


def _remedy(directory: Path) -> str:
    command = link_command(directory.parent, besides=directory.name)
    if command is None:
        return "there is no other checkpoint; train into another [training] output"
    return f"go on from another checkpoint with: {command}"


def _optimizer_tensors(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    return {
        f"{name}.{kind}": tensor
        for name, parameter in model.named_parameters()
        for kind, tensor in optimizer.state[parameter].items()
    }


def _take_generators(tensors: dict[str, Tensor], path: Path) -> list[Tensor]:
    """The states of the generators by rank, taken out of ``tensors``."""
    generators: list[Tensor] = []
    while (name := f"{_GENERATOR}.{len(generators)}") in tensors:
        generators.append(tensors.pop(name))
    if not generators:
        raise UserError(f"{path} holds no {_GENERATOR}.0; {_remedy(path.parent)}")
    return generators


def _sorted_moments(
    tensors: dict[str, Tensor], model: nn.Module, optimizer: torch.optim.Optimizer, path: Path
) -> dict[int, dict[str, Tensor]]:
    """The moments by the parameters' places; none of a parameter that was never updated."""
    moments: dict[int, dict[str, Tensor]] = {}
    left = dict(tensors)
    for index, (name, parameter) in enumerate(model.named_parameters()):
        own = {kind: left.pop(f"{name}.{kind}", None) for kind in state_names(optimizer, parameter)}
        if all(tensor is None for tensor in own.values()):
            continue
        moments[index] = {}
        for kind, tensor in own.items():
            like = torch.zeros((), dtype=torch.float32) if kind == "step" else parameter
            if tensor is None or tensor.shape != like.shape or tensor.dtype != like.dtype:
                raise UserError(
                    f"{path}: {name}.{kind} is missing or not {list(like.shape)} of {like.dtype}; "
                    f"{_remedy(path.parent)}"
                )
            moments[index][kind] = tensor
    for name in left:
        raise UserError(f"{path}: {name} belongs to nothing of this run; {_remedy(path.parent)}")
    return moments


def _load_parameters(model: nn.Module, tensors: dict[str, Tensor], path: Path) -> None:
    expected = model.state_dict()
    for name in [*expected, *tensors]:
        if name not in expected or name not in tensors:
            place = "the file" if name not in tensors else "the model of this configuration"
            raise UserError(f"{path}: {name} is missing in {place}")
        here, there = tuple(expected[name].shape), tuple(tensors[name].shape)
        if here != there:
            raise UserError(f"{path}: {name} has shape {there}, the model of this run has {here}")
        if tensors[name].dtype != expected[name].dtype:
            kinds = f"{tensors[name].dtype}, not {expected[name].dtype}"
            raise UserError(f"{path}: {name} holds numbers of {kinds}")
    model.load_state_dict(tensors)


def _load_tensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except SafetensorError as error:
        raise UserError(f"{path} cannot be read: {error}; {_remedy(path.parent)}") from error
