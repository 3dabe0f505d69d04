"""The encoder (section 3.1)."""

from __future__ import annotations

from torch import Tensor

from pytransformer.config import TransformerConfig
from pytransformer.nn.attention import SelfAttention
from pytransformer.nn.layer_norm import LayerNorm
from pytransformer.nn.residual import ResidualLayer, Stack
from pytransformer.packed import Packed


class EncoderLayer(ResidualLayer):
    """Self-attention, then feed-forward."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__(config)
        self.self_attention = SelfAttention(config.d_model, config.heads, config.attention_dropout)

    def forward(
        self,
        x: Tensor,
        stream: Tensor,
        cu_seqlens: Tensor,
        max_seqlen: int,
        following: LayerNorm | None,
    ) -> tuple[Tensor, Tensor]:
        """``(x, stream) -> (x, stream)``, all ``[rows, d_model]``; see ``nn.residual``."""
        result = self.self_attention(x, cu_seqlens, max_seqlen, causal=False)
        x, stream = self.add(result, stream, self.self_attention_norm, self.feed_forward_norm)
        return self.add(self.feed_forward(x), stream, self.feed_forward_norm, following)


class Encoder(Stack[EncoderLayer]):
    """A stack of encoder layers."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__((EncoderLayer(config) for _ in range(config.encoder_layers)), config)

    def forward(self, rows: Packed) -> Packed:
        """Embedded rows ``[rows, d_model]`` to the memory that the decoder attends to."""
        x, stream = self.open(rows.values)
        for layer, following in self.chain():
            x, stream = layer(x, stream, rows.cu_seqlens, rows.max_seqlen, following)
        return rows.with_values(x)
