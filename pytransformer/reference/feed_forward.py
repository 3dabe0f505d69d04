"""The position-wise feed-forward layer (section 3.3)."""

from __future__ import annotations

import torch
from torch import Tensor

from pytransformer.precision import autocast, compute_dtype, rounded
from pytransformer.reference.dropout import row_dropout
from pytransformer.reference.linear import project

_ACTIVATIONS = {
    "relu": torch.relu,
    "gelu": lambda x: 0.5 * x * (1.0 + torch.erf(x / 2.0**0.5)),
    "silu": lambda x: x * torch.sigmoid(x),
}


def feed_forward(
    x: Tensor,
    w1: Tensor,
    b1: Tensor,
    w2: Tensor,
    b2: Tensor,
    activation: str = "relu",
    dropout_p: float = 0.0,
    seed: int | Tensor | None = None,
) -> Tensor:
    """``dropout(activation(x w1^T + b1)) w2^T + b2``.

    Shapes: ``x [..., d]``, ``w1 [ff, d]``, ``b1 [ff]``, ``w2 [d_out, ff]``, ``b2 [d_out]``; the
    result is ``[..., d_out]`` in the dtype of ``x``. ``gelu`` is the exact one.
    """
    if activation not in _ACTIVATIONS:
        raise ValueError(f"activation = {activation!r}: must be one of relu, gelu, silu")
    x = autocast(x)
    hidden = _ACTIVATIONS[activation](
        project(x.to(compute_dtype(x.dtype)), rounded(w1, x), b1)
    )  # [..., ff]
    hidden = row_dropout(hidden, dropout_p, seed)
    return project(hidden, rounded(w2, x), b2).to(x.dtype)
