"""The options of a model."""

from __future__ import annotations

from typing import Any

import pytest

from pytransformer import TransformerConfig


def _config(**changes: Any) -> TransformerConfig:
    values: dict[str, Any] = dict(
        vocab_size=10, d_model=8, heads=2, ff=16, encoder_layers=1, decoder_layers=1
    )
    return TransformerConfig(**(values | changes))


@pytest.mark.parametrize(
    ("name", "layers", "d_model", "ff", "heads", "dropout"),
    [
        ("tiny", 4, 128, 256, 4, 0.1),
        ("small", 3, 256, 1024, 8, 0.1),
        ("base", 6, 512, 2048, 8, 0.1),
        ("big", 6, 1024, 4096, 16, 0.3),
    ],
)
def test_presets(name: str, layers: int, d_model: int, ff: int, heads: int, dropout: float) -> None:
    config = TransformerConfig.preset(name, vocab_size=100)
    assert (config.encoder_layers, config.decoder_layers) == (layers, layers)
    assert (config.d_model, config.ff, config.heads) == (d_model, ff, heads)
    assert config.dropout == dropout
    assert not config.norm_first
    assert config.positions == "sinusoidal"
    assert config.activation == "relu"


def test_a_preset_takes_changes() -> None:
    assert TransformerConfig.preset("tiny", vocab_size=100, dropout=0.3).dropout == 0.3


def test_survives_a_dictionary() -> None:
    config = _config(norm_first=True, positions="learned", activation="gelu")
    assert TransformerConfig.from_dict(config.to_dict()) == config


def test_derived_values() -> None:
    config = _config()
    assert config.head_dim == 4
    assert config.pad_id == 9


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (dict(vocab_size=1), "vocab_size = 1"),
        (dict(d_model=9), "d_model = 9 is not a multiple of heads = 2"),
        (dict(heads=0), "heads = 0"),
        (dict(d_model=1024), "d_model / heads = 512: must be at most 256"),
        (dict(encoder_layers=-1), "encoder_layers = -1"),
        (dict(dropout=1.0), "dropout = 1.0"),
        (dict(attention_dropout=float("nan")), "attention_dropout = nan"),
        (dict(layer_norm_eps=0.0), "layer_norm_eps = 0.0"),
        (dict(layer_norm_eps=float("inf")), "layer_norm_eps = inf: must be more than 0 and finite"),
        (dict(encoder_layers=1e9), "encoder_layers = 1000000000.0: must be a whole number"),
        (dict(heads=True), "heads = True: must be a whole number"),
        (dict(dropout="0.1"), "dropout = '0.1': must be a number"),
        (dict(norm_first=0), "norm_first = 0: must be true or false"),
        (dict(activation="tanh"), "activation = 'tanh': must be one of relu, gelu, silu"),
        (dict(positions="rotary"), "positions = 'rotary'"),
    ],
)
def test_bad_values_are_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        _config(**changes)


def test_an_unknown_field_gets_the_nearest_name() -> None:
    with pytest.raises(ValueError, match="no field 'dropuot'; did you mean 'dropout'"):
        TransformerConfig.preset("tiny", vocab_size=10, dropuot=0.1)


def test_an_unknown_preset_gets_the_list() -> None:
    with pytest.raises(ValueError, match="'huge' is unknown; choose one of tiny, small, base, big"):
        TransformerConfig.preset("huge", vocab_size=10)
