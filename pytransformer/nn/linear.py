"""An affine map."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pytransformer import ops


class Linear(nn.Module):
    """``[..., inputs] -> [..., outputs]``.

    ``blocks`` is how many square-ish maps the weight stacks: each is initialised by itself
    (Xavier uniform), as if it were a module of its own. Biases start at zero.
    """

    def __init__(self, inputs: int, outputs: int, blocks: int = 1) -> None:
        super().__init__()
        self.blocks = blocks
        self.weight = nn.Parameter(torch.empty(outputs, inputs))
        self.bias = nn.Parameter(torch.zeros(outputs))
        for block in self.weight.chunk(blocks):
            nn.init.xavier_uniform_(block)

    def forward(self, x: Tensor) -> Tensor:
        return ops.linear(x, self.weight, self.bias)
