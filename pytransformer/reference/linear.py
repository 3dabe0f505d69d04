"""An affine map of rows."""

from __future__ import annotations

import torch
from torch import Tensor

from pytransformer.precision import autocast, compute_dtype, rounded


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """``x weight^T + bias``: ``[..., in]``, ``[out, in]``, ``[out]`` -> ``[..., out]``.

    The result has the dtype of ``x``. A float32 weight beside bfloat16 rows is rounded to
    bfloat16 first; the bias is not.
    """
    x = autocast(x)
    return project(x.to(compute_dtype(x.dtype)), rounded(weight, x), bias).to(x.dtype)


def project(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """The same, in the dtype that ``x`` and ``weight`` share."""
    with torch.autocast(x.device.type, enabled=False):
        product = torch.tensordot(x, weight, dims=([-1], [1]))
    return product if bias is None else product + bias.to(product.dtype)
