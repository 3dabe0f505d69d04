"""The orthogonal matrix nearest to each of many: what the Muon optimizer makes of gradients."""

from __future__ import annotations

from torch import Tensor

from pytransformer.ops.native import library, register_fake


def orthogonalize(x: Tensor, steps: int = 5) -> Tensor:
    """Bring the singular values of every matrix near 1, and leave its singular vectors.

    Matrix products alone: ``steps`` times ``X <- a X + b (X X^T) X + c (X X^T)^2 X`` from
    ``X = x / |x|``, with a, b, c of K. Jordan et al., "Muon: An optimizer for hidden layers in
    neural networks" (2024). Five steps bring singular values from 0.01 of the norm upwards to
    between 0.65 and 1.25. Between products numbers are float32, or float64 for float64. The same
    bits whatever the thread count. Not differentiable.

    Args:
        x: ``[..., rows, columns]``, float32, bfloat16 or float64. A matrix of zeros stays one.
        steps: at least 0; 0 only scales to norm 1.

    Returns:
        ``[..., rows, columns]`` of the type of ``x``.

    Raises:
        ValueError: if ``x`` is no matrix or of another type, or ``steps`` is negative.
    """
    return library.orthogonalize(x.detach(), steps)


@register_fake("orthogonalize")
def _fake(x: Tensor, steps: int) -> Tensor:
    return x.new_empty(x.shape)
