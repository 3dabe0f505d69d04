"""Where an op's seed comes from."""

from __future__ import annotations

from operator import index

import torch
from torch import Tensor

from pytransformer.seed import draw_seed


def drops(dropout_p: float) -> bool:
    """Whether any element can be dropped: the threshold of the random words is not 0."""
    return int(dropout_p * 2**32) > 0


def seed_tensor(dropout_p: float, seed: int | Tensor | None) -> Tensor | None:
    """int64 ``[]``: the given seed, or one from torch's CPU generator; None without dropout."""
    if dropout_p == 0.0:
        return None
    if seed is None:
        return draw_seed()
    if isinstance(seed, Tensor):
        return seed
    return torch.tensor(index(seed), dtype=torch.int64, device="cpu")
