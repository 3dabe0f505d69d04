"""A tokenizer and models small enough to translate within milliseconds, with random weights."""

from __future__ import annotations

import functools
from typing import Any

import torch

import pytransformer as pt
from pytransformer.data import Tokenizer, train_tokenizer

WORDS = ("the", "a", "red", "blue", "cat", "dog", "sees", "hears", "old", "house", "Katze", "Hund")

LINES = tuple(
    f"{WORDS[i % 12]} {WORDS[(i * 5 + 2) % 12]} {WORDS[(i * 7 + 3) % 12]}" for i in range(60)
)


@functools.cache
def tokenizer() -> Tokenizer:
    """A joint vocabulary of 60 pieces, learned from ``LINES``."""
    return train_tokenizer(LINES, vocab_size=60)


def model(seed: int = 0, spread: float = 3.0, **changes: Any) -> pt.Transformer:
    """A micro model in eval mode.

    ``spread`` scales the embeddings: the larger, the more one token stands out from the others.
    """
    torch.manual_seed(seed)
    values: dict[str, Any] = {
        "vocab_size": tokenizer().vocab_size,
        "d_model": 16,
        "heads": 2,
        "ff": 32,
        "encoder_layers": 1,
        "decoder_layers": 1,
        "dropout": 0.1,
    }
    made = pt.Transformer(pt.TransformerConfig(**(values | changes))).eval()
    with torch.no_grad():
        made.embedding.mul_(spread)
    return made
