"""Arguments of small calls for the self-check: no size is a multiple of a vector or a tile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor

Arguments = dict[str, Any]
Case = Callable[[Generator, torch.dtype], Arguments]

# No sum in a case is longer.
TERMS = 100

_ROWS = 37
_WIDTH = 75
_HIDDEN = 100
_VOCABULARY = 91
_HEADS = 2
_HEAD_DIM = 24
_LENGTHS = (5, 0, 31, 1)
_SEED = 7


def _random(generator: Generator, dtype: torch.dtype, *shape: int) -> Tensor:
    return torch.randn(shape, generator=generator).to(dtype)


def _boundaries() -> Tensor:
    return torch.tensor([0, *_LENGTHS]).cumsum(0).to(torch.int32)


def _attention(generator: Generator, dtype: torch.dtype) -> Arguments:
    """Packed self-attention of a decoder, with dropout."""
    arguments = _attention_weights(generator, dtype)
    values = _random(generator, dtype, sum(_LENGTHS), _HEADS, _HEAD_DIM)
    return {**arguments, "v": values, "dropout_p": 0.25, "seed": _SEED}


def _attention_weights(generator: Generator, dtype: torch.dtype) -> Arguments:
    shape = (sum(_LENGTHS), _HEADS, _HEAD_DIM)
    queries, keys = _random(generator, dtype, *shape), _random(generator, dtype, *shape)
    boundaries = {"cu_seqlens_q": _boundaries(), "cu_seqlens_k": _boundaries()}
    return {"q": queries, "k": keys, **boundaries, "causal": True}


def _multi_head_attention(generator: Generator, dtype: torch.dtype) -> Arguments:
    """Packed self-attention between its projections."""
    qkv = _random(generator, dtype, sum(_LENGTHS), 3 * _HEADS * _HEAD_DIM)
    return {"q": qkv, "heads": _HEADS, "cu_seqlens_q": _boundaries()}


def _dense_attention(generator: Generator, dtype: torch.dtype) -> Arguments:
    """Cross-attention with a mask that hides a whole row."""
    queries, keys = (3, 9, _HEADS, _HEAD_DIM), (3, 33, _HEADS, _HEAD_DIM)
    mask = torch.rand(3, 1, queries[1], keys[1], generator=generator) < 0.7
    mask[1, :, 4] = False
    return {
        "q": _random(generator, dtype, *queries),
        "k": _random(generator, dtype, *keys),
        "v": _random(generator, dtype, *keys),
        "mask": mask,
    }


def _norm(generator: Generator, dtype: torch.dtype) -> Arguments:
    return {
        "x": _random(generator, dtype, _ROWS, _WIDTH),
        "weight": _random(generator, dtype, _WIDTH),
        "bias": _random(generator, dtype, _WIDTH),
    }


def _add_norm(generator: Generator, dtype: torch.dtype) -> Arguments:
    residual = _random(generator, dtype, _ROWS, _WIDTH)
    return {**_norm(generator, dtype), "residual": residual, "dropout_p": 0.25, "seed": _SEED}


def _linear(generator: Generator, dtype: torch.dtype) -> Arguments:
    return {
        "x": _random(generator, dtype, _ROWS, _WIDTH),
        "weight": _random(generator, dtype, _HIDDEN, _WIDTH),
        "bias": _random(generator, dtype, _HIDDEN),
    }


def _feed_forward(activation: str) -> Case:
    def build(generator: Generator, dtype: torch.dtype) -> Arguments:
        return {
            "x": _random(generator, dtype, _ROWS, _WIDTH),
            "w1": _random(generator, dtype, _HIDDEN, _WIDTH) / 8.0,
            "b1": _random(generator, dtype, _HIDDEN),
            "w2": _random(generator, dtype, _WIDTH, _HIDDEN) / 8.0,
            "b2": _random(generator, dtype, _WIDTH),
            "activation": activation,
            "dropout_p": 0.25,
            "seed": _SEED,
        }

    return build


def _cross_entropy(generator: Generator, dtype: torch.dtype) -> Arguments:
    targets = torch.randint(0, _VOCABULARY, (_ROWS,), generator=generator)
    targets[3] = -100
    return {
        "x": _random(generator, dtype, _ROWS, _WIDTH),
        "weight": _random(generator, dtype, _VOCABULARY, _WIDTH) / 8.0,
        "targets": targets,
        "label_smoothing": 0.1,
        "reduction": "sum",
    }


def _embedding(generator: Generator, dtype: torch.dtype) -> Arguments:
    tokens = torch.randint(0, _VOCABULARY, (sum(_LENGTHS),), generator=generator)
    return {
        "tokens": tokens,
        "weight": _random(generator, dtype, _VOCABULARY, _WIDTH),
        "cu_seqlens": _boundaries(),
        "scale": 3.0,
        "padding_idx": int(tokens[0]),
    }


def _tied(generator: Generator, dtype: torch.dtype) -> Arguments:
    return {"weight": _random(generator, dtype, _VOCABULARY, _WIDTH), "uses": 3}


def _top_log_probs(generator: Generator, dtype: torch.dtype) -> Arguments:
    return {"logits": _random(generator, dtype, _ROWS, _VOCABULARY), "k": 5}


def _sum_of_squares(generator: Generator, dtype: torch.dtype) -> Arguments:
    return {"tensors": [_random(generator, dtype, 5), _random(generator, dtype, 3, 31)]}


def _orthogonalize(generator: Generator, dtype: torch.dtype) -> Arguments:
    # Of one step: further ones would have to be allowed the error of those before.
    return {"x": _random(generator, dtype, 3, _ROWS, _WIDTH), "steps": 1}


CASES: dict[str, tuple[Case, ...]] = {
    "attention": (_attention, _dense_attention),
    "attention_weights": (_attention_weights,),
    "multi_head_attention": (_multi_head_attention,),
    "layer_norm": (_norm,),
    "add_layer_norm": (_add_norm,),
    "linear": (_linear,),
    "feed_forward": tuple(_feed_forward(name) for name in ("relu", "gelu", "silu")),
    "linear_cross_entropy": (_cross_entropy,),
    "embedding": (_embedding,),
    "orthogonalize": (_orthogonalize,),
    "sum_of_squares": (_sum_of_squares,),
    "tied": (_tied,),
    "top_log_probs": (_top_log_probs,),
}
