"""Options and parameters go to Marian's names and back."""

from __future__ import annotations

import pytest
import torch

import pytransformer as pt
from pytransformer import marian

CONFIG = pt.TransformerConfig(
    vocab_size=11, d_model=8, heads=2, ff=12, encoder_layers=1, decoder_layers=2, max_length=77
)


@pytest.mark.parametrize("activation", ["relu", "gelu", "silu"])
@pytest.mark.parametrize("preset", ["tiny", "small", "base", "big"])
def test_options_go_round(preset: str, activation: str) -> None:
    config = pt.TransformerConfig.preset(
        preset, vocab_size=500, activation=activation, activation_dropout=0.2, max_length=300
    )
    assert marian.obstacles(config) == []
    assert marian.config_from_marian(marian.config_to_marian(config)) == config


@pytest.mark.parametrize(
    ("changes", "obstacle"),
    [
        ({"norm_first": True}, "norm_first=True"),
        ({"positions": "learned"}, "positions=learned"),
        ({"layer_norm_eps": 1e-6}, "layer_norm_eps=1e-06"),
    ],
)
def test_what_marian_lacks_is_named(changes: dict, obstacle: str) -> None:
    config = pt.TransformerConfig.preset("tiny", vocab_size=9, **changes)
    assert marian.obstacles(config) == [obstacle]
    with pytest.raises(ValueError, match=f"a Marian model cannot have {obstacle}"):
        marian.config_to_marian(config)


def test_parameters_go_round() -> None:
    state = pt.Transformer(CONFIG).state_dict()
    theirs = marian.tensors_to_marian(state)
    # Per layer: 4 linear maps for each attention and 2 of the feed-forward, each with its norm.
    encoder_layer, decoder_layer = 2 * (4 + 1 + 2 + 1), 2 * (4 + 1 + 4 + 1 + 2 + 1)
    assert len(theirs) == 2 + encoder_layer + 2 * decoder_layer
    assert not theirs["final_logits_bias"].any()
    back = marian.tensors_from_marian(theirs, state)
    assert back.keys() == state.keys()
    for name, tensor in state.items():
        assert torch.equal(back[name], tensor), name


@pytest.mark.parametrize("name", ["encoder.norm.weight", "encoder_positions"])
def test_a_parameter_without_a_counterpart_is_named(name: str) -> None:
    with pytest.raises(ValueError, match=f"a Marian model has no parameter '{name}'"):
        marian.marian_names(name)
