"""The global norm of the gradients, and clipping by it.

The norm decides how far every parameter moves, so a resumed or differently threaded run must find
the same bits: ``ops.sum_of_squares`` adds in one fixed order.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from pytransformer import ops


def gradient_norm(gradients: Sequence[Tensor]) -> float:
    """The Euclidean norm of all gradients taken as one vector.

    Args:
        gradients: tensors of any shape.

    Returns:
        The norm; NaN or infinity if an element is.
    """
    return math.sqrt(float(ops.sum_of_squares(gradients)))


def clip_gradients(gradients: Sequence[Tensor], norm: float, max_norm: float) -> None:
    """Scale the gradients in place so that their global norm is at most ``max_norm``.

    Args:
        gradients: the tensors that ``norm`` was computed from.
        norm: their finite global norm.
        max_norm: the largest norm left alone; 0 turns clipping off.
    """
    if max_norm > 0 and norm > max_norm:
        torch._foreach_mul_(list(gradients), max_norm / norm)
