"""One weight with several uses (section 3.4)."""

from __future__ import annotations

from torch import Tensor


def tied(weight: Tensor, uses: int) -> tuple[Tensor, ...]:
    """``weight``, ``uses`` times; autograd adds the gradients, of which one must be dense."""
    if uses < 1:
        raise ValueError(f"uses = {uses}: must be at least 1")
    return (weight,) * uses
