"""The squared Euclidean norm of many tensors together: what gradient clipping looks at."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from pytransformer.ops.native import library, register_fake


def sum_of_squares(tensors: Sequence[Tensor]) -> Tensor:
    """The sum of the squares of all elements, in one fixed order whatever the thread count.

    Not differentiable.

    Args:
        tensors: of any shape, float32, bfloat16 or float64, on the CPU.

    Returns:
        float64 ``[]``; NaN or infinity if an element is.

    Raises:
        ValueError: if a tensor is of another type or on another device.
    """
    if not tensors:  # nothing to choose a device by
        return torch.zeros((), dtype=torch.float64)
    return library.sum_of_squares([tensor.detach() for tensor in tensors])


@register_fake("sum_of_squares")
def _fake(tensors: list[Tensor]) -> Tensor:
    return tensors[0].new_empty((), dtype=torch.float64)
