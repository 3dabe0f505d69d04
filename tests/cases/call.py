"""One call of an op: what it is given, and its evaluation with gradients."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from tests.cases.layout import generator, normal


@dataclass(frozen=True)
class Call:
    """Arguments of an op.

    Attributes:
        tensors: those it differentiates, by name.
        options: all others, by name.
        length: of the longest sum that an output or a gradient needs.
        floor: the natural size of outputs and gradients, where they may cancel to nothing.
        cotangents: one for each output; standard normal when empty.
    """

    tensors: dict[str, Tensor]
    options: dict[str, Any]
    length: int
    floor: float = 1.0
    cotangents: tuple[Tensor, ...] = ()

    def double(self) -> Call:
        """The same values in float64, contiguous, on the CPU."""
        return Call(
            {name: tensor.double().cpu().contiguous() for name, tensor in self.tensors.items()},
            {name: _double(option) for name, option in self.options.items()},
            self.length,
            self.floor,
            tuple(cotangent.double().cpu() for cotangent in self.cotangents),
        )


@dataclass(frozen=True)
class Evaluation:
    """What a call gave: its outputs, and a gradient for each of its tensors."""

    outputs: tuple[Tensor, ...]
    gradients: dict[str, Tensor] = field(default_factory=dict)


def evaluate(op: Callable[..., Any], call: Call) -> Evaluation:
    """Outputs and gradients of ``op``."""
    leaves = {name: t.detach().requires_grad_() for name, t in call.tensors.items()}
    result = op(**leaves, **call.options)
    outputs: tuple[Tensor, ...] = result if isinstance(result, tuple) else (result,)
    cotangents = call.cotangents or _cotangents(outputs)
    received = [c.to(o) for c, o in zip(cotangents, outputs, strict=True)]
    gradients = torch.autograd.grad(outputs, list(leaves.values()), received)
    return Evaluation(
        tuple(output.detach() for output in outputs), dict(zip(leaves, gradients, strict=True))
    )


def _cotangents(outputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """The same for every dtype: rounded to bfloat16, which all of them hold exactly."""
    rng = generator(97)
    return tuple(normal(tuple(output.shape), rng, torch.bfloat16) for output in outputs)


def _double(option: Any) -> Any:
    if not isinstance(option, Tensor):
        return option
    return option.cpu().double() if option.is_floating_point() else option.cpu()
