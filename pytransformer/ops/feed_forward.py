"""The position-wise feed-forward layer (section 3.3 of "Attention Is All You Need")."""

from __future__ import annotations

from torch import Tensor

from pytransformer.ops.dropout import seed_tensor
from pytransformer.ops.native import library, register_fake
from pytransformer.precision import autocast


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

    Args:
        x: ``[..., in]``, float32, bfloat16 or float64; autocast as ``linear``.
        w1: ``[hidden, in]``; of the type of ``x``, or float32 beside bfloat16 rows.
        b1: ``[hidden]``, of the type of ``w1``.
        w2: ``[out, hidden]``, likewise.
        b2: ``[out]``, of the type of ``w2``.
        activation: ``relu``, ``gelu`` (exact) or ``silu``.
        dropout_p: probability with which an element of the hidden layer is dropped.
        seed: of the dropout bits; drawn from torch's CPU generator when None.

    Returns:
        ``[..., out]``, of the type of ``x``.

    Raises:
        ValueError: if shapes, types or devices disagree, the activation is unknown, or
            ``dropout_p`` is not at least 0 and below 1.
    """
    out, _ = library.feed_forward(
        autocast(x), w1, b1, w2, b2, activation, dropout_p, seed_tensor(dropout_p, seed)
    )
    return out


@register_fake("feed_forward")
def _fake(
    x: Tensor,
    w1: Tensor,
    b1: Tensor | None,
    w2: Tensor,
    b2: Tensor | None,
    activation: str,
    dropout_p: float,
    seed: Tensor | None,
) -> tuple[Tensor, Tensor]:
    rows = x[..., 0].numel()
    return x.new_empty(*x.shape[:-1], w2.shape[0]), x.new_empty(rows, w1.shape[0])


@register_fake("feed_forward_backward")
def _backward_fake(
    grad: Tensor,
    x: Tensor,
    w1: Tensor,
    w2: Tensor,
    hidden: Tensor,
    activation: str,
    dropout_p: float,
    seed: Tensor | None,
    output_mask: list[bool],
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    return (
        x.new_empty(x.shape if output_mask[0] else (0,)),
        w1.new_empty(w1.shape if output_mask[1] else (0,)),
        w1.new_empty(w1.shape[:1] if output_mask[2] else (0,)),
        w2.new_empty(w2.shape if output_mask[3] else (0,)),
        w2.new_empty(w2.shape[:1] if output_mask[4] else (0,)),
    )
