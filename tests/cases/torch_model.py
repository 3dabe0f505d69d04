"""The same model out of torch.nn, as the oracle of ours."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pytransformer import Packed, Transformer, TransformerConfig
from pytransformer.positions import sinusoids


class TorchModel:
    """torch.nn's encoder and decoder with the weights of ``model``, without dropout.

    In the precision of its parameters. Sentences run one by one, so that neither padding nor its
    masks are needed.
    """

    def __init__(self, model: Transformer) -> None:
        config = model.config
        self.config = config
        self.embedding = _leaf(model.embedding)
        self.dtype = self.embedding.dtype
        self.positions = {
            side: _positions(config, getattr(model, f"{side}_positions")).to(self.dtype)
            for side in ("encoder", "decoder")
        }
        options: dict[str, Any] = dict(
            d_model=config.d_model,
            nhead=config.heads,
            dim_feedforward=config.ff,
            dropout=0.0,
            activation=F.silu if config.activation == "silu" else config.activation,
            layer_norm_eps=config.layer_norm_eps,
            batch_first=True,
            norm_first=config.norm_first,
            dtype=self.dtype,
        )
        self.encoder = nn.TransformerEncoder(
            nn.TransformerEncoderLayer(**options),
            config.encoder_layers,
            norm=_final_norm(config, self.dtype),
            enable_nested_tensor=False,
        )
        self.decoder = nn.TransformerDecoder(
            nn.TransformerDecoderLayer(**options),
            config.decoder_layers,
            norm=_final_norm(config, self.dtype),
        )
        ours = dict(model.named_parameters())
        with torch.no_grad():
            for names, parameter in self._pairs():
                parameter.copy_(torch.cat([ours[name] for name in names]))

    def encode(self, tokens: Tensor) -> Tensor:
        """``[length] -> [length, d_model]``."""
        return self.encoder(self._embed(tokens, "encoder"))[0]

    def decode(self, tokens: Tensor, memory: Tensor) -> Tensor:
        """``[length], [memory length, d_model] -> [length, d_model]``."""
        causal = nn.Transformer.generate_square_subsequent_mask(len(tokens), dtype=self.dtype)
        rows = self._embed(tokens, "decoder")
        return self.decoder(rows, memory[None], tgt_mask=causal)[0]

    def logits(self, hidden: Tensor) -> Tensor:
        """``[rows, d_model] -> [rows, vocab_size - 1]``."""
        return hidden @ self.embedding[: self.config.pad_id].t()

    def loss(self, src: Packed, tgt: Packed, label_smoothing: float) -> Tensor:
        """The mean over predicted tokens."""
        hidden, targets = [], []
        for source, target in zip(src.unpack(), tgt.unpack(), strict=True):
            hidden.append(self.decode(target[:-1], self.encode(source)))
            targets.append(target[1:])
        scores = self.logits(torch.cat(hidden))
        return F.cross_entropy(scores, torch.cat(targets), label_smoothing=label_smoothing)

    def gradients(self) -> dict[str, Tensor]:
        """After ``backward``: the gradient of each parameter under our name for it."""
        found = {"embedding": _gradient(self.embedding)}
        for side, table in self.positions.items():
            if table.requires_grad:
                found[f"{side}_positions"] = _gradient(table)
        for names, parameter in self._pairs():
            rows = [_rows(name, self.config.d_model) for name in names]
            parts = _gradient(parameter).split(rows) if len(names) > 1 else [_gradient(parameter)]
            found |= dict(zip(names, parts, strict=True))
        # <pad> has a zero embedding that is not trained.
        found["embedding"][self.config.pad_id] = 0.0
        return found

    def _embed(self, tokens: Tensor, side: str) -> Tensor:
        rows = self.embedding[tokens] * math.sqrt(self.config.d_model)
        return (rows + self.positions[side][: len(tokens)])[None]

    def _pairs(self) -> Iterator[tuple[tuple[str, ...], Tensor]]:
        """Each parameter of torch's, and which of ours it stacks."""
        for side, stack in (("encoder", self.encoder), ("decoder", self.decoder)):
            for index, layer in enumerate(stack.layers):
                for name, parameter in layer.named_parameters():
                    yield _our_names(f"{side}.layers.{index}", side, name), parameter
            if stack.norm is not None:
                for name, parameter in stack.norm.named_parameters():
                    yield (f"{side}.norm.{name}",), parameter


def _our_names(prefix: str, side: str, name: str) -> tuple[str, ...]:
    module, _, kind = name.rpartition(".")
    kind = kind.removeprefix("in_proj_")
    if name.startswith("multihead_attn.in_proj"):
        attention = f"{prefix}.cross_attention"
        return f"{attention}.q.{kind}", f"{attention}.kv.{kind}"
    if name.startswith("self_attn.in_proj"):
        return (f"{prefix}.self_attention.qkv.{kind}",)
    if module in ("linear1", "linear2"):
        return (f"{prefix}.feed_forward.{'w' if kind == 'weight' else 'b'}{module[-1]}",)
    sublayers = {"self_attn.out_proj": "self_attention.out"}
    sublayers |= {"multihead_attn.out_proj": "cross_attention.out", "norm1": "self_attention_norm"}
    if side == "encoder":
        sublayers |= {"norm2": "feed_forward_norm"}
    else:
        sublayers |= {"norm2": "cross_attention_norm", "norm3": "feed_forward_norm"}
    return (f"{prefix}.{sublayers[module]}.{kind}",)


def _rows(name: str, d_model: int) -> int:
    return 2 * d_model if ".kv." in name else d_model


def _final_norm(config: TransformerConfig, dtype: torch.dtype) -> nn.LayerNorm | None:
    """torch.nn.Transformer always has final norms; the paper, whose norms come last, has none."""
    if not config.norm_first:
        return None
    return nn.LayerNorm(config.d_model, eps=config.layer_norm_eps, dtype=dtype)


def _positions(config: TransformerConfig, learned: Tensor | None) -> Tensor:
    if learned is not None:
        return _leaf(learned)
    return sinusoids(config.max_length, config.d_model, torch.get_default_device())


def _leaf(x: Tensor) -> Tensor:
    return x.detach().clone().requires_grad_()


def _gradient(x: Tensor) -> Tensor:
    assert x.grad is not None
    return x.grad
