"""The global norm of the gradients, and clipping by it.

The norm decides how far every parameter moves, so a resumed or differently threaded run must find
the same bits. It is therefore a sum of partial norms over chunks of a constant number of elements,
whose sum ``math.fsum`` rounds once, whatever their order.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

# Small enough that torch reduces a chunk on one thread, large enough that the list of partial
# norms stays short: 16,000 for the 65 million parameters of the base model.
_CHUNK = 4096


def gradient_norm(gradients: Iterable[Tensor]) -> float:
    """The Euclidean norm of all gradients taken as one vector.

    Args:
        gradients: tensors of any shape, dtype and device.

    Returns:
        The norm; NaN or infinity if an element is, or if a chunk's norm overflows float32.
    """
    partial = [norms for gradient in gradients for norms in _chunk_norms(gradient)]
    if not partial:
        return 0.0
    norms = torch.cat(partial).double().tolist()
    if not all(map(math.isfinite, norms)):
        return math.nan if any(map(math.isnan, norms)) else math.inf
    return math.sqrt(math.fsum(norm * norm for norm in norms))


def clip_gradients(gradients: Sequence[Tensor], norm: float, max_norm: float) -> None:
    """Scale the gradients in place so that their global norm is at most ``max_norm``.

    Args:
        gradients: the tensors that ``norm`` was computed from.
        norm: their finite global norm.
        max_norm: the largest norm left alone; 0 turns clipping off.
    """
    if max_norm > 0 and norm > max_norm:
        torch._foreach_mul_(list(gradients), max_norm / norm)


def _chunk_norms(gradient: Tensor) -> list[Tensor]:
    flat = gradient.detach().reshape(-1)
    whole = flat.numel() // _CHUNK * _CHUNK
    chunks, rest = flat[:whole].view(-1, _CHUNK), flat[whole:].view(1, -1)
    return [
        torch.linalg.vector_norm(part, dim=1, dtype=torch.promote_types(part.dtype, torch.float32))
        for part in (chunks, rest)
        if part.numel() > 0
    ]
