"""Singular values brought near 1 by matrix products."""

from __future__ import annotations

import torch
from torch import Tensor

from pytransformer.precision import compute_dtype


@torch.no_grad()
def orthogonalize(x: Tensor, steps: int = 5) -> Tensor:
    """Each singular value ``s`` of ``x / |x|``, ``steps`` times ``a s + b s^3 + c s^5``.

    Args:
        x: ``[..., rows, columns]``.
        steps: at least 0.

    Returns:
        ``[..., rows, columns]`` of the type of ``x``. Not differentiable.
    """
    if x.dim() < 2:
        raise ValueError(f"x has shape {tuple(x.shape)}; expected [..., rows, columns]")
    if steps < 0:
        raise ValueError(f"steps = {steps}: must be at least 0")
    dtype = x.dtype
    x = x.to(compute_dtype(dtype))
    x = x / torch.linalg.vector_norm(x, dim=(-2, -1), keepdim=True).clamp_min(1e-30)
    for _ in range(steps):
        gram = x @ x.mT
        x = 3.4445 * x - 4.7750 * gram @ x + 2.0315 * gram @ gram @ x
    return x.to(dtype)
