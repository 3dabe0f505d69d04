"""The names by which a Hugging Face Marian model calls what a ``Transformer`` holds.

Marian's architecture is the paper's: post-norm layers, sinusoidal positions, one scaled matrix for
both embeddings and the output. Its attention keeps queries, keys and values apart, where ours
joins them by rows: ``qkv`` is q, k, v, and ``kv`` is k, v.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from pytransformer.config import TransformerConfig

MODEL_TYPE = "marian"
EMBEDDING = "model.shared.weight"
BIAS = "final_logits_bias"

# A Marian model may store these as well; they repeat the shared matrix or are computed.
REPEATED = frozenset(
    {
        "lm_head.weight",
        "model.encoder.embed_tokens.weight",
        "model.decoder.embed_tokens.weight",
        "model.encoder.embed_positions.weight",
        "model.decoder.embed_positions.weight",
    }
)

_LAYER_NORM_EPS = 1e-5
_ACTIVATIONS = {"relu": "relu", "gelu": "gelu", "silu": "swish"}
_ACTIVATIONS_BACK = {**{theirs: ours for ours, theirs in _ACTIVATIONS.items()}, "silu": "silu"}

# What the architecture leaves no choice in: Marian's option, the value that is ours, and the value
# that a config.json without the option means.
_FIXED: tuple[tuple[str, object, object], ...] = (
    ("scale_embedding", True, False),
    ("static_position_embeddings", True, True),
    ("share_encoder_decoder_embeddings", True, True),
    ("tie_word_embeddings", True, True),
    ("normalize_before", False, False),
    ("normalize_embedding", False, False),
    ("add_final_layer_norm", False, False),
    ("eos_token_id", 0, 0),
)

# Our name inside a layer, and the Marian names whose rows, one below the other, are the same.
_IN_LAYER = {
    "self_attention.qkv": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
    "self_attention.out": ("self_attn.out_proj",),
    "self_attention_norm": ("self_attn_layer_norm",),
    "cross_attention.q": ("encoder_attn.q_proj",),
    "cross_attention.kv": ("encoder_attn.k_proj", "encoder_attn.v_proj"),
    "cross_attention.out": ("encoder_attn.out_proj",),
    "cross_attention_norm": ("encoder_attn_layer_norm",),
    "feed_forward_norm": ("final_layer_norm",),
}
_FEED_FORWARD = {"w1": "fc1.weight", "b1": "fc1.bias", "w2": "fc2.weight", "b2": "fc2.bias"}


def obstacles(config: TransformerConfig) -> list[str]:
    """The options of ``config`` that a Marian model cannot express, each as ``name=value``."""
    expressible = {
        "norm_first": False,
        "positions": "sinusoidal",
        "layer_norm_eps": _LAYER_NORM_EPS,
    }
    values = config.to_dict()
    return [
        f"{name}={values[name]}" for name, value in expressible.items() if values[name] != value
    ]


def config_to_marian(config: TransformerConfig) -> dict[str, Any]:
    """``config.json`` of the Marian model with the same computation.

    Raises:
        ValueError: if there is none; the message names the options.
    """
    if found := obstacles(config):
        raise ValueError(f"a Marian model cannot have {', '.join(found)}")
    return {
        "architectures": ["MarianMTModel"],
        "model_type": MODEL_TYPE,
        "is_encoder_decoder": True,
        "d_model": config.d_model,
        "encoder_layers": config.encoder_layers,
        "decoder_layers": config.decoder_layers,
        "encoder_attention_heads": config.heads,
        "decoder_attention_heads": config.heads,
        "encoder_ffn_dim": config.ff,
        "decoder_ffn_dim": config.ff,
        "activation_function": _ACTIVATIONS[config.activation],
        "dropout": config.dropout,
        "attention_dropout": config.attention_dropout,
        "activation_dropout": config.activation_dropout,
        "max_position_embeddings": config.max_length,
        "vocab_size": config.vocab_size,
        "decoder_vocab_size": config.vocab_size,
        "pad_token_id": config.pad_id,
        "decoder_start_token_id": config.pad_id,
        "bos_token_id": 0,
        "forced_eos_token_id": 0,
        **{name: ours for name, ours, _ in _FIXED},
    }


def config_from_marian(values: Mapping[str, Any]) -> TransformerConfig:
    """The inverse of ``config_to_marian``, for any Marian model.

    Raises:
        ValueError: if an option is missing, or has a value that a ``Transformer`` cannot have.
    """
    size = _get(values, "vocab_size")
    twins = ("attention_heads", "ffn_dim")
    fixed = [
        *_FIXED,
        *((f"decoder_{name}", _get(values, f"encoder_{name}"), None) for name in twins),
        ("decoder_vocab_size", size, size),
        ("pad_token_id", size - 1, size - 1),
        ("decoder_start_token_id", size - 1, size - 1),
    ]
    for name, ours, default in fixed:
        given = default if values.get(name) is None else values[name]
        if given != ours:
            raise ValueError(f"{name} is {given!r}; only {ours!r} is supported here")
    activation = _get(values, "activation_function")
    if activation not in _ACTIVATIONS_BACK:
        choices = ", ".join(_ACTIVATIONS_BACK)
        raise ValueError(f"activation_function is {activation!r}; supported are {choices}")
    return TransformerConfig.from_dict(
        {
            "vocab_size": size,
            "d_model": _get(values, "d_model"),
            "heads": _get(values, "encoder_attention_heads"),
            "ff": _get(values, "encoder_ffn_dim"),
            "encoder_layers": _get(values, "encoder_layers"),
            "decoder_layers": _get(values, "decoder_layers"),
            "dropout": values.get("dropout", 0.1),
            "attention_dropout": values.get("attention_dropout", 0.0),
            "activation_dropout": values.get("activation_dropout", 0.0),
            "activation": _ACTIVATIONS_BACK[activation],
            "max_length": values.get("max_position_embeddings", 1024),
            "layer_norm_eps": _LAYER_NORM_EPS,
        }
    )


def generation_config(config: TransformerConfig) -> dict[str, Any]:
    """``generation_config.json``: how ``transformers`` translates with the model.

    ``<pad>`` is never generated, and the scores are normalised without it, as here.
    """
    return {
        "bad_words_ids": [[config.pad_id]],
        "bos_token_id": 0,
        "decoder_start_token_id": config.pad_id,
        "eos_token_id": 0,
        "forced_eos_token_id": 0,
        "max_length": min(512, config.max_length),
        "num_beams": 4,
        "pad_token_id": config.pad_id,
        "renormalize_logits": True,
    }


def marian_names(name: str) -> tuple[str, ...]:
    """The Marian parameters whose rows, one below the other, are our parameter ``name``."""
    if name == "embedding":
        return (EMBEDDING,)
    match = re.fullmatch(r"((?:encoder|decoder)\.layers\.\d+)\.(.+)\.(\w+)", name)
    if match is None:
        raise ValueError(f"a Marian model has no parameter {name!r}")
    layer, part, kind = match.groups()
    if part == "feed_forward":
        return (f"model.{layer}.{_FEED_FORWARD[kind]}",)
    return tuple(f"model.{layer}.{theirs}.{kind}" for theirs in _IN_LAYER[part])


def tensors_to_marian(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Our parameters under Marian's names, with the zero bias ``[1, vocab_size]`` that it has."""
    result = {BIAS: torch.zeros(1, state["embedding"].shape[0], dtype=state["embedding"].dtype)}
    for name, tensor in state.items():
        theirs = marian_names(name)
        result.update(zip(theirs, tensor.chunk(len(theirs)), strict=True))
    return result


def tensors_from_marian(tensors: Mapping[str, Tensor], names: Iterable[str]) -> dict[str, Tensor]:
    """The inverse of ``tensors_to_marian`` for our parameters ``names``."""
    return {name: torch.cat([tensors[part] for part in marian_names(name)]) for name in names}


def _get(values: Mapping[str, Any], name: str) -> Any:
    if name not in values:
        raise ValueError(f"{name} is missing")
    return values[name]
