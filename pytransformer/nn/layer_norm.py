"""Layer normalisation, alone and behind a residual connection."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pytransformer import ops


class LayerNorm(nn.Module):
    """Layer norm over rows ``[..., width]``."""

    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        return ops.layer_norm(x, self.weight, self.bias, self.eps)

    def after_residual(self, x: Tensor, residual: Tensor, dropout: float) -> tuple[Tensor, Tensor]:
        """The norm of ``dropout(x) + residual``, and that sum itself."""
        return ops.add_layer_norm(x, residual, self.weight, self.bias, self.eps, dropout)
