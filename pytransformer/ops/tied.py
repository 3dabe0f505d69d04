"""One weight with several uses (section 3.4 of "Attention Is All You Need")."""

from __future__ import annotations

import torch
from torch import Tensor

from pytransformer.ops.native import library


def tied(weight: Tensor, uses: int) -> tuple[Tensor, ...]:
    """Aliases of ``weight``, one for each use, whose gradients are added in one pass.

    A sparse gradient, as ``embedding(..., sparse=True)`` gives it, is added to the rows of a dense
    one where that one lies: nothing is allocated and no row is touched that need not be. The sum
    is dense.

    Args:
        weight: of any shape and type.
        uses: how many aliases to give, at least 1.

    Returns:
        ``uses`` tensors that share the memory of ``weight``; under ``torch.compile``, which adds
        gradients its own way, ``weight`` itself, ``uses`` times.

    Raises:
        ValueError: if ``uses`` is below 1.
    """
    if uses < 1:
        raise ValueError(f"tied: uses is {uses}; it must be at least 1")
    if torch.compiler.is_compiling():
        return (weight,) * uses
    return tuple(library.tied(weight, uses))
