"""The model that people build of torch.nn today: padded batches, torch.nn.Transformer, tied
embeddings."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pytransformer import Packed, TransformerConfig
from pytransformer.positions import sinusoids

_IGNORED = -100


class TorchTransformer(nn.Module):
    """The sizes and the dropout of ``config``; dropout on residuals, attention and activations."""

    positions: Tensor

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocab_size, config.d_model)
        nn.init.normal_(self.embedding.weight, std=config.d_model**-0.5)
        self.transformer = nn.Transformer(
            config.d_model,
            config.heads,
            config.encoder_layers,
            config.decoder_layers,
            config.ff,
            config.dropout,
            batch_first=True,
        )
        table = sinusoids(config.max_length, config.d_model).float()
        self.register_buffer("positions", table, persistent=False)

    def forward(self, batch: PaddedBatch) -> Tensor:
        """The loss with label smoothing."""
        length = batch.inputs.shape[1]
        causal = torch.ones(length, length, dtype=torch.bool, device=batch.inputs.device).triu(1)
        hidden = self.transformer(
            self._embed(batch.source),
            self._embed(batch.inputs),
            tgt_mask=causal,
            src_key_padding_mask=batch.source_padding,
            tgt_key_padding_mask=batch.target_padding,
            memory_key_padding_mask=batch.source_padding,
            tgt_is_causal=True,
        )
        logits = F.linear(hidden, self.embedding.weight)
        return F.cross_entropy(
            logits.flatten(0, 1),
            batch.targets.flatten(),
            label_smoothing=0.1,
            ignore_index=_IGNORED,
        )

    def _embed(self, tokens: Tensor) -> Tensor:
        rows = self.embedding(tokens) * math.sqrt(self.config.d_model)
        return F.dropout(rows + self.positions[: tokens.shape[1]], self.config.dropout)


class PaddedBatch:
    """Packed sentences as rectangles; without masks where there is nothing to mask."""

    def __init__(self, src: Packed, tgt: Packed) -> None:
        self.source, self.source_padding = pad([*src.unpack()])
        targets = [*tgt.unpack()]
        self.inputs, self.target_padding = pad([sentence[:-1] for sentence in targets])
        self.targets, padding = pad([sentence[1:] for sentence in targets])
        if padding is not None:
            self.targets = self.targets.masked_fill(padding, _IGNORED)


def pad(sentences: list[Tensor]) -> tuple[Tensor, Tensor | None]:
    """One rectangle ``[batch, longest, ...]``, and where they are padding; None where nowhere."""
    padded = nn.utils.rnn.pad_sequence(sentences, batch_first=True)
    lengths = torch.tensor([len(sentence) for sentence in sentences], device=padded.device)
    padding = torch.arange(padded.shape[1], device=padded.device)[None, :] >= lengths[:, None]
    return padded, padding if bool(padding.any()) else None
