"""The squared Euclidean norm of many tensors together."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


@torch.no_grad()
def sum_of_squares(tensors: Sequence[Tensor]) -> Tensor:
    """The sum of the squares of all elements of ``tensors``: float64 ``[]``. Not differentiable."""
    total = torch.zeros((), dtype=torch.float64)
    for tensor in tensors:
        total = total + tensor.double().square().sum().cpu()
    return total
