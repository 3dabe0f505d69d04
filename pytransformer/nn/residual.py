"""How sub-layers, residual connections and norms are chained (section 3.1).

Between sub-layers two tensors travel for each row: ``x``, which the next sub-layer reads, and
``stream``, to which its result is added. With a norm behind every sub-layer, as in the paper, the
two are the same tensor. With the norm in front (``norm_first``) the stream is the plain sum, and
each addition is fused with the norm that opens the *next* sub-layer. So one body serves both.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Generic, TypeVar

from torch import Tensor, nn

from pytransformer.config import TransformerConfig
from pytransformer.nn.feed_forward import FeedForward
from pytransformer.nn.layer_norm import LayerNorm


class ResidualLayer(nn.Module):
    """What an encoder and a decoder layer share: self-attention first, feed-forward last."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.norm_first = config.norm_first
        self.dropout = config.dropout
        self.self_attention_norm = LayerNorm(config.d_model, config.layer_norm_eps)
        self.feed_forward = FeedForward(
            config.d_model, config.ff, config.activation, config.activation_dropout
        )
        self.feed_forward_norm = LayerNorm(config.d_model, config.layer_norm_eps)

    def add(
        self, result: Tensor, stream: Tensor, own: LayerNorm, following: LayerNorm | None
    ) -> tuple[Tensor, Tensor]:
        """Close a sub-layer.

        Args:
            result: what the sub-layer computed, ``[rows, d_model]``.
            stream: what it is added to, after dropout.
            own: the norm of this sub-layer, which closes it without norm_first.
            following: the norm that opens the next one; unused, and may be None, without
                norm_first.

        Returns:
            The next ``(x, stream)``.
        """
        dropout = self.dropout if self.training else 0.0
        if self.norm_first:
            assert following is not None
            return following.after_residual(result, stream, dropout)
        x, _ = own.after_residual(result, stream, dropout)
        return x, x


LayerT = TypeVar("LayerT", bound=ResidualLayer)


class Stack(nn.Module, Generic[LayerT]):
    """Layers one after the other; only ``norm_first`` closes them with a norm."""

    def __init__(self, layers: Iterable[LayerT], config: TransformerConfig) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.norm = LayerNorm(config.d_model, config.layer_norm_eps) if config.norm_first else None

    def open(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """The first ``(x, stream)``."""
        if self.norm is None:
            return rows, rows
        chain = self.chain()
        norm = chain[0][0].self_attention_norm if chain else self.norm
        return norm(rows), rows

    def chain(self) -> list[tuple[LayerT, LayerNorm | None]]:
        """Each layer, and the norm that opens what follows it (None without norm_first)."""
        layers: list[Any] = list(self.layers)
        following: list[LayerNorm | None] = [None] * len(layers)
        if self.norm is not None:
            following = [*(layer.self_attention_norm for layer in layers[1:]), self.norm]
        return list(zip(layers, following, strict=False))
