"""The position-wise feed-forward layer (section 3.3)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pytransformer import ops
from pytransformer.config import Activation


class FeedForward(nn.Module):
    """``[..., d_model] -> [..., ff] -> [..., d_model]``, with dropout on the hidden layer."""

    def __init__(self, d_model: int, ff: int, activation: Activation, dropout: float) -> None:
        super().__init__()
        self.activation = activation
        self.dropout = dropout
        self.w1 = nn.Parameter(nn.init.xavier_uniform_(torch.empty(ff, d_model)))
        self.b1 = nn.Parameter(torch.zeros(ff))
        self.w2 = nn.Parameter(nn.init.xavier_uniform_(torch.empty(d_model, ff)))
        self.b2 = nn.Parameter(torch.zeros(d_model))

    def forward(self, x: Tensor) -> Tensor:
        dropout = self.dropout if self.training else 0.0
        return ops.feed_forward(x, self.w1, self.b1, self.w2, self.b2, self.activation, dropout)
