"""What gradients do to parameters: Adam, or Muon for the layers' matrices and Adam for the rest."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from pytransformer import ops
from pytransformer.model import Transformer
from pytransformer.training.config import TrainingOptions

_ADAM = ("exp_avg", "exp_avg_sq", "step")
_MOMENTUM = "momentum"


def create_optimizer(model: Transformer, options: TrainingOptions) -> torch.optim.Optimizer:
    """The one that ``options.optimizer`` names, over all parameters in the order of the model."""
    if options.optimizer == "muon":
        return Muon(model, options)
    return _adam(model.parameters(), options)


def state_names(optimizer: torch.optim.Optimizer, parameter: nn.Parameter) -> tuple[str, ...]:
    """What the optimizer keeps of a parameter that it has updated.

    ``step`` is a number; all else has the parameter's shape and dtype.
    """
    of_muon = isinstance(optimizer, Muon) and parameter in optimizer.maps
    return (_MOMENTUM,) if of_muon else _ADAM


class Muon(torch.optim.Optimizer):
    """Momentum whose singular values are all made about 1, for the matrices inside the layers.

    K. Jordan et al., "Muon: An optimizer for hidden layers in neural networks" (2024): every
    direction of a matrix is learnt at one rate, however small its part of the gradient. Embeddings,
    biases and norms go by Adam. The root mean square of a matrix's update is
    ``learning rate * muon_scale``, whatever its shape (J. Liu et al., "Muon is Scalable for LLM
    Training", 2025, section 2.2). What one weight stacks (queries', keys' and values' maps) is
    several matrices.
    """

    def __init__(self, model: Transformer, options: TrainingOptions) -> None:
        """Take over the parameters of ``model``; the rate is set before each step."""
        super().__init__(model.parameters(), {"lr": 0.0, "fused": True})
        self.maps = dict(model.hidden_maps())
        rest = [parameter for parameter in model.parameters() if parameter not in self.maps]
        self._adam = _adam(rest, options)
        self._adam.state = self.state
        self._momentum = options.muon_momentum
        self._scale = options.muon_scale
        self._decay = options.weight_decay

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._adam.state = self.state

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Update every parameter that has a gradient."""
        (group,) = self.param_groups
        for own in self._adam.param_groups:
            own["lr"] = group["lr"]
        self._adam.step()
        of_shape: dict[tuple[int, int], list[nn.Parameter]] = {}
        for parameter, maps in self.maps.items():
            if parameter.grad is not None:
                rows, columns = parameter.shape
                of_shape.setdefault((rows // maps, columns), []).append(parameter)
        for shape, parameters in of_shape.items():
            self._update(shape, parameters, group["lr"])

    def _update(
        self, shape: tuple[int, int], parameters: Sequence[nn.Parameter], rate: float
    ) -> None:
        momenta = [self._momentum_of(parameter) for parameter in parameters]
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        torch._foreach_lerp_(momenta, gradients, 1 - self._momentum)
        # Nesterov's: where the momentum will be after another such gradient.
        ahead = torch._foreach_lerp(gradients, momenta, self._momentum)
        directions = _orthogonalized(torch.cat([part.view(-1, *shape) for part in ahead]))
        counts = [self.maps[parameter] for parameter in parameters]
        steps = [
            part.view_as(parameter)
            for part, parameter in zip(directions.split(counts), parameters, strict=True)
        ]
        if self._decay:
            torch._foreach_mul_(list(parameters), 1 - rate * self._decay)
        # Elements of an orthogonal matrix have a mean square of 1 / max(shape).
        length = rate * self._scale * max(shape) ** 0.5
        torch._foreach_add_(list(parameters), steps, alpha=-length)

    def _momentum_of(self, parameter: nn.Parameter) -> Tensor:
        state = self.state[parameter]
        if _MOMENTUM not in state:
            state[_MOMENTUM] = torch.zeros_like(parameter)
        kept: Tensor = state[_MOMENTUM]
        return kept


def _orthogonalized(x: Tensor) -> Tensor:
    """float32 in bfloat16: what becomes of it needs no more digits."""
    narrow = torch.bfloat16 if x.dtype == torch.float32 else x.dtype
    return ops.orthogonalize(x.to(narrow)).to(x.dtype)


def _adam(parameters: Iterable[nn.Parameter], options: TrainingOptions) -> torch.optim.AdamW:
    """Adam as section 5.3 sets it; with weight decay, decoupled (Loshchilov and Hutter, 2019)."""
    return torch.optim.AdamW(
        parameters,
        lr=0.0,
        betas=options.adam_betas,
        eps=options.adam_eps,
        weight_decay=options.weight_decay,
        fused=True,
    )
