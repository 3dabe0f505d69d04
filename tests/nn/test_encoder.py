"""The encoder: shapes, the chain of norms, initialisation."""

from __future__ import annotations

import pytest
import torch

from pytransformer import ops, pack
from pytransformer.nn import Encoder, FeedForward, LayerNorm, Linear
from tests.cases.models import small_config


@pytest.mark.parametrize("norm_first", [False, True])
def test_without_layers_only_the_final_norm_is_left(norm_first: bool) -> None:
    encoder = Encoder(small_config(norm_first=norm_first, encoder_layers=0)).double()
    rows = pack([torch.randn(3, 12, dtype=torch.float64)])
    expected = rows.values
    if norm_first:
        expected = ops.layer_norm(rows.values, encoder.norm.weight, encoder.norm.bias)
    torch.testing.assert_close(encoder(rows).values, expected)


@pytest.mark.parametrize("norm_first", [False, True])
def test_sublayers_are_chained_as_their_definition_says(norm_first: bool) -> None:
    encoder = Encoder(small_config(norm_first=norm_first)).double()
    rows = pack([torch.randn(n, 12, dtype=torch.float64) for n in (3, 5)])
    x = rows.values
    for layer in encoder.layers:
        for sublayer, norm in (
            (lambda y, m=layer.self_attention: m(y, rows.cu_seqlens, 5), layer.self_attention_norm),
            (layer.feed_forward, layer.feed_forward_norm),
        ):
            x = x + sublayer(norm(x)) if norm_first else norm(x + sublayer(x))
    x = encoder.norm(x) if norm_first else x
    torch.testing.assert_close(encoder(rows).values, x)


def test_sublayer_outputs_are_dropped_in_training_alone() -> None:
    encoder = Encoder(small_config(dropout=0.5)).double()
    rows = pack([torch.randn(4, 12, dtype=torch.float64)])
    assert not torch.equal(encoder(rows).values, encoder(rows).values)
    encoder.eval()
    assert torch.equal(encoder(rows).values, encoder(rows).values)


def test_hidden_units_are_dropped_in_training_alone() -> None:
    module = FeedForward(12, 20, "relu", dropout=0.5)
    x = torch.randn(4, 12)
    assert not torch.equal(module(x), module(x))
    module.eval()
    assert torch.equal(module(x), module(x))


def test_matrices_start_uniform_and_biases_at_zero() -> None:
    linear = Linear(50, 30)
    limit = (6.0 / 80) ** 0.5
    assert 0.95 * limit < float(linear.weight.detach().abs().max()) <= limit
    assert bool((linear.bias == 0).all())
    norm = LayerNorm(7, 1e-5)
    assert bool((norm.weight == 1).all())
    assert bool((norm.bias == 0).all())
