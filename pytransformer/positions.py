"""Sinusoidal positions (section 3.5 of "Attention Is All You Need")."""

from __future__ import annotations

import torch
from torch import Tensor


def sinusoids(length: int, width: int, device: torch.device | str = "cpu") -> Tensor:
    """The table of sinusoidal positions.

    Column ``i`` of the first half is ``sin(t * 10000^(-2i / width))``, column ``i`` of the second
    half the cosine of the same angle: the paper's values with its columns reordered, as Marian
    stores them. For an odd width the sine half has one column more.

    Returns:
        float64 ``[length, width]``; row ``t`` belongs to position ``t``, counted from 0.
    """
    sines = (width + 1) // 2
    exponents = torch.arange(sines, dtype=torch.float64, device=device) * (-2.0 / width)
    positions = torch.arange(length, dtype=torch.float64, device=device)
    angles = positions[:, None] * torch.pow(10000.0, exponents)[None, :]  # [length, sines]
    return torch.cat([angles.sin(), angles[:, : width - sines].cos()], dim=1)
