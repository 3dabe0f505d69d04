"""The decoder (section 3.1): whole sequences for training, one position at a time for decoding."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from pytransformer.config import TransformerConfig
from pytransformer.nn.attention import CrossAttention, SelfAttention
from pytransformer.nn.decoder_state import DecoderState, beam_boundaries
from pytransformer.nn.layer_norm import LayerNorm
from pytransformer.nn.residual import ResidualLayer, Stack
from pytransformer.packed import Packed

_Sublayer = Callable[[Tensor], Tensor]


class DecoderLayer(ResidualLayer):
    """Causal self-attention, cross-attention, then feed-forward."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__(config)
        d_model, heads, dropout = config.d_model, config.heads, config.attention_dropout
        self.self_attention = SelfAttention(d_model, heads, dropout)
        self.cross_attention = CrossAttention(d_model, heads, dropout)
        self.cross_attention_norm = LayerNorm(d_model, config.layer_norm_eps)

    def forward(
        self,
        x: Tensor,
        stream: Tensor,
        cu_seqlens: Tensor,
        max_seqlen: int,
        memory: Packed,
        following: LayerNorm | None,
    ) -> tuple[Tensor, Tensor]:
        """``(x, stream) -> (x, stream)``, all ``[rows, d_model]``; see ``nn.residual``."""
        projected = self.cross_attention.project(memory)
        return self._chain(
            x,
            stream,
            lambda rows: self.self_attention(rows, cu_seqlens, max_seqlen, causal=True),
            lambda rows: self.cross_attention(rows, cu_seqlens, max_seqlen, projected),
            following,
        )

    def step(
        self,
        x: Tensor,
        stream: Tensor,
        state: DecoderState,
        index: int,
        following: LayerNorm | None,
    ) -> tuple[Tensor, Tensor]:
        """The same for one further position; this layer's caches are the ``index``-th."""
        return self._chain(
            x,
            stream,
            lambda rows: self.self_attention.step(rows, state.caches[index], state.position),
            lambda rows: self.cross_attention(
                rows, state.cu_seqlens, state.beam_size, state.memories[index]
            ),
            following,
        )

    def _chain(
        self,
        x: Tensor,
        stream: Tensor,
        self_attention: _Sublayer,
        cross_attention: _Sublayer,
        following: LayerNorm | None,
    ) -> tuple[Tensor, Tensor]:
        x, stream = self.add(
            self_attention(x), stream, self.self_attention_norm, self.cross_attention_norm
        )
        x, stream = self.add(
            cross_attention(x), stream, self.cross_attention_norm, self.feed_forward_norm
        )
        return self.add(self.feed_forward(x), stream, self.feed_forward_norm, following)


class Decoder(Stack[DecoderLayer]):
    """A stack of decoder layers."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__((DecoderLayer(config) for _ in range(config.decoder_layers)), config)

    def forward(self, rows: Packed, memory: Packed) -> Packed:
        """Embedded target rows and the encoder's rows to hidden rows, all ``[..., d_model]``."""
        x, stream = self.open(rows.values)
        for layer, following in self.chain():
            x, stream = layer(x, stream, rows.cu_seqlens, rows.max_seqlen, memory, following)
        return rows.with_values(x)

    def start(
        self, memory: Packed, positions: Tensor, beam_size: int, max_length: int
    ) -> DecoderState:
        """Empty caches, and the memory projected for every layer.

        ``positions [at least max_length, d_model]`` is what is added to the embedded tokens.
        """
        rows = len(memory) * beam_size
        return DecoderState(
            beam_size=beam_size,
            max_length=max_length,
            positions=positions,
            cu_seqlens=beam_boundaries(len(memory), beam_size, memory.values.device),
            caches=[
                layer.self_attention.new_cache(rows, max_length, memory.values)
                for layer, _ in self.chain()
            ],
            memories=[layer.cross_attention.project(memory) for layer, _ in self.chain()],
        )

    def step(self, rows: Tensor, state: DecoderState) -> Tensor:
        """Embedded rows ``[sentences * beam_size, d_model]`` at the state's position to hidden
        rows of the same shape."""
        x, stream = self.open(rows)
        for index, (layer, following) in enumerate(self.chain()):
            x, stream = layer.step(x, stream, state, index, following)
        return x
