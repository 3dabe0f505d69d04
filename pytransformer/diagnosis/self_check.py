"""Each op against its reference in float64: outputs and gradients of small random cases."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from pytransformer import ops, reference
from pytransformer.devices import cuda_devices
from pytransformer.diagnosis.report import OpCheck
from pytransformer.diagnosis.self_check_cases import CASES, TERMS, Arguments

_DTYPES = (torch.float32, torch.bfloat16)


def check_ops() -> Iterator[OpCheck]:
    """Check every op in float32 and bfloat16, a compiled one in every instruction set; then on
    every CUDA device that it runs on.

    The instruction set is switched on the way and restored at the end of each op.
    """
    for op in CASES:
        yield _check_op(op)


def _check_op(op: str) -> OpCheck:
    """The comparison that comes closest to its tolerance, or exceeds it most."""
    compared: list[OpCheck] = []
    for place in _places():
        for dtype in _DTYPES:
            try:
                compared += _compare(op, place, dtype)
            except Exception as error:
                where = f"{_name(dtype)}, {place.name}"
                return OpCheck(op, math.nan, math.nan, where, f"{type(error).__name__}: {error}")
    return max(compared, key=_severity)


@dataclass(frozen=True)
class _Place:
    """Where an op computes; the name of the instruction set or of the device."""

    name: str
    device: torch.device


def _places() -> Iterator[_Place]:
    """Each that there is, in use until the next one is asked for."""
    for name in _instruction_sets():
        yield _Place(name, torch.device("cpu"))
    for device in cuda_devices():
        yield _Place(str(device), device)


def _instruction_sets() -> Iterator[str]:
    """Each that runs here, in use until the next one is asked for."""
    if ops.BACKEND != "native":
        yield ops.BACKEND
        return
    extension = importlib.import_module("pytransformer._C")
    before = extension.isa()
    try:
        for name, runs_here in extension.instruction_sets():
            if runs_here:
                extension.set_isa(name)
                yield name
    finally:
        extension.set_isa(before)


def _compare(op: str, place: _Place, dtype: torch.dtype) -> Iterator[OpCheck]:
    for case in CASES[op]:
        arguments = case(torch.Generator().manual_seed(0), dtype)
        doubled = {
            name: value.double() if _is_float(value) else value for name, value in arguments.items()
        }
        moved = {name: _moved(value, place.device) for name, value in arguments.items()}
        actual = _results(getattr(ops, op), moved, dtype)
        expected = _results(getattr(reference, op), doubled, dtype)
        for name, result in actual.items():
            where = f"{_name(dtype)}, {place.name}, {name}"
            yield _difference(op, result.cpu(), expected[name], dtype, where)


def _moved(value: object, device: torch.device) -> object:
    if isinstance(value, list):
        return [_moved(element, device) for element in value]
    return value.to(device) if isinstance(value, Tensor) else value


def _results(op: Callable[..., Any], arguments: Arguments, dtype: torch.dtype) -> dict[str, Tensor]:
    """Outputs, and the gradients of their products with fixed numbers, by name."""
    leaves = {
        name: value.detach().requires_grad_()
        for name, value in arguments.items()
        if _is_float(value)
    }
    returned = op(**{**arguments, **leaves})
    outputs = returned if isinstance(returned, tuple) else (returned,)
    results = {f"output {index}": output.detach() for index, output in enumerate(outputs)}
    differentiable = [output for output in outputs if output.requires_grad]
    if differentiable:
        upstream = [_upstream(output, dtype) for output in differentiable]
        gradients = torch.autograd.grad(differentiable, list(leaves.values()), upstream)
        for name, gradient in zip(leaves, gradients, strict=True):
            results[f"gradient of {name}"] = gradient
    return results


def _upstream(output: Tensor, dtype: torch.dtype) -> Tensor:
    """Different everywhere, of both signs, and the same number in every precision."""
    numbers = torch.arange(output.numel()).double().cos().to(dtype)
    return numbers.view(output.shape).to(output)


def _difference(
    op: str, actual: Tensor, expected: Tensor, dtype: torch.dtype, where: str
) -> OpCheck:
    if actual.shape != expected.shape:
        shapes = f"shape {tuple(actual.shape)}, expected {tuple(expected.shape)}"
        return OpCheck(op, math.nan, math.nan, where, shapes)
    if not expected.is_floating_point():
        return OpCheck(op, float((actual != expected).sum()), 0.0, where)
    error = float((actual.double() - expected).abs().max())
    return OpCheck(op, error, _tolerance(expected, dtype), where)


def _tolerance(expected: Tensor, dtype: torch.dtype) -> float:
    """What rounding explains.

    In float32 each of ``TERMS`` additions is off by half an epsilon of the partial sum, in random
    direction: four times the width of that walk, and eight epsilons for the functions around the
    sum. In bfloat16 sums are kept in float32, but operands and results are rounded.
    """
    peak = max(1.0, float(expected.abs().max()))
    roundings = 3.0 if dtype == torch.bfloat16 else 8.0 + 2.0 * math.sqrt(TERMS)
    return torch.finfo(dtype).eps * roundings * peak


def _severity(check: OpCheck) -> float:
    if check.failure or math.isnan(check.error):
        return math.inf
    if check.tolerance == 0.0:
        return math.inf if check.error else 0.0
    return check.error / check.tolerance


def _is_float(value: object) -> bool:
    return isinstance(value, Tensor) and value.is_floating_point()


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
