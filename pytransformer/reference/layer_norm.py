"""Layer normalisation (Ba, Kiros, Hinton 2016), alone and with the residual addition before it."""

from __future__ import annotations

import torch
from torch import Tensor

from pytransformer.precision import autocast, compute_dtype
from pytransformer.reference.dropout import row_dropout


def layer_norm(x: Tensor, weight: Tensor, bias: Tensor, eps: float = 1e-5) -> Tensor:
    """``(x - mean) / sqrt(variance + eps) * weight + bias`` over the last dimension.

    The result has the dtype of ``x``; gains may be float32 beside bfloat16 rows.
    """
    return _normalize(x.to(compute_dtype(x.dtype)), weight, bias, eps).to(x.dtype)


def add_layer_norm(
    x: Tensor,
    residual: Tensor,
    weight: Tensor,
    bias: Tensor,
    eps: float = 1e-5,
    dropout_p: float = 0.0,
    seed: int | Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """``sum = dropout(x) + residual`` and its layer norm (section 5.4).

    Returns:
        ``(normalized, sum)``, both in the dtype of ``x``. ``normalized`` is the layer norm of the
        sum as it is returned.
    """
    x, residual = autocast(x), autocast(residual)
    if x.shape != residual.shape or x.dtype != residual.dtype:
        raise ValueError(
            f"x is {x.dtype} {tuple(x.shape)}, residual is {residual.dtype} "
            f"{tuple(residual.shape)}; they must agree"
        )
    dtype = compute_dtype(x.dtype)
    total = (row_dropout(x.to(dtype), dropout_p, seed) + residual.to(dtype)).to(x.dtype)
    return _normalize(total.to(dtype), weight, bias, eps).to(x.dtype), total


def _normalize(x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
    centered = x - x.mean(-1, keepdim=True)
    variance = centered.square().mean(-1, keepdim=True)
    normalized = centered * torch.rsqrt(variance + eps)
    return normalized * weight.to(x.dtype) + bias.to(x.dtype)
