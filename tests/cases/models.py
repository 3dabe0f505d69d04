"""Small models and batches for tests of the whole model."""

from __future__ import annotations

from typing import Any

import torch

from pytransformer import Packed, Transformer, TransformerConfig, pack
from tests.cases.layout import generator, integers

VOCABULARY = 23


def small_config(**changes: Any) -> TransformerConfig:
    """A model of a few thousand parameters, without dropout unless asked."""
    values: dict[str, Any] = dict(
        vocab_size=VOCABULARY,
        d_model=12,
        heads=3,
        ff=20,
        encoder_layers=2,
        decoder_layers=2,
        dropout=0.0,
        max_length=32,
    )
    return TransformerConfig(**(values | changes))


def small_model(seed: int = 0, **changes: Any) -> Transformer:
    """float64, in evaluation mode, with gains and biases that are not just ones and zeros."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Transformer(small_config(**changes)).double().eval()
        for name, parameter in model.named_parameters():
            if parameter.dim() == 1:
                centre = 1.0 if name.endswith("norm.weight") else 0.0
                torch.nn.init.normal_(parameter, centre, 0.3)
    return model


def sentences(lengths: tuple[int, ...], seed: int = 1, bos: bool = False) -> Packed:
    """Random tokens; with ``bos`` each sentence has ``<pad>`` before them."""
    rng = generator(seed)
    pad = VOCABULARY - 1
    start = torch.full((1 if bos else 0,), pad)
    return pack([torch.cat([start, integers(0, pad, (n,), rng)]) for n in lengths])
