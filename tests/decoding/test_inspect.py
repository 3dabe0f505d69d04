"""Cross-attention weights against a calculation by hand."""

from __future__ import annotations

import pytest
import torch

import pytransformer as pt
from pytransformer.decoding.inspect import cross_attention_weights
from tests.cases import translators

SRC = pt.pack([torch.tensor([4, 9, 2, 7, 0])])


def bos(model: pt.Transformer, *tokens: int) -> pt.Packed:
    return pt.pack([torch.tensor([model.config.pad_id, *tokens])])


@pytest.mark.parametrize("norm_first", [False, True])
def test_rows_are_distributions(norm_first: bool) -> None:
    model = translators.model(encoder_layers=2, decoder_layers=3, heads=4, norm_first=norm_first)
    weights = cross_attention_weights(model, SRC, bos(model, 3, 8))
    assert weights.shape == (3, 4, 3, 5)
    assert weights.dtype == torch.float32
    assert (weights >= 0).all()
    assert torch.allclose(weights.sum(-1), torch.ones(3, 4, 3))
    assert not torch.allclose(weights[0], weights[1])


@torch.no_grad()
def test_the_first_layer_by_hand() -> None:
    model = translators.model().double()
    tgt = bos(model)  # BOS alone: self-attention returns its own value
    config = model.config
    layer = model.decoder.layers[0]
    x = torch.cat([torch.zeros(8), torch.ones(8)]).double()[None]  # sinusoids of position 0
    value = (x @ layer.self_attention.qkv.weight.T + layer.self_attention.qkv.bias)[:, 32:]
    mixed = value @ layer.self_attention.out.weight.T + layer.self_attention.out.bias
    x = torch.nn.functional.layer_norm(x + mixed, (16,), eps=config.layer_norm_eps)
    memory = model.encode(SRC).values
    q = x @ layer.cross_attention.q.weight.T + layer.cross_attention.q.bias
    k = (memory @ layer.cross_attention.kv.weight.T + layer.cross_attention.kv.bias)[:, :16]
    expected = [
        torch.softmax(q[:, part] @ k[:, part].T / 8**0.5, dim=-1)
        for part in (slice(0, 8), slice(8, 16))
    ]
    weights = cross_attention_weights(model, SRC, tgt)
    assert torch.allclose(weights[0], torch.stack(expected).float(), atol=1e-6)


def test_the_model_is_left_as_it_was() -> None:
    model = translators.model()
    before = model.decode(bos(model, 3), model.encode(SRC)).values
    first = cross_attention_weights(model, SRC, bos(model, 3))
    assert torch.equal(model.decode(bos(model, 3), model.encode(SRC)).values, before)
    assert not model.decoder.layers[0].cross_attention._forward_pre_hooks
    assert torch.equal(cross_attention_weights(model, SRC, bos(model, 3)), first)


def test_mistakes_are_named() -> None:
    model = translators.model()
    two = pt.pack([torch.tensor([4, 0]), torch.tensor([5, 0])])
    with pytest.raises(ValueError, match="src holds 2 sentences"):
        cross_attention_weights(model, two, bos(model))
    with pytest.raises(ValueError, match="tgt holds 2 sentences"):
        cross_attention_weights(model, SRC, two)
    empty = translators.model(decoder_layers=0)
    with pytest.raises(ValueError, match="no cross-attention"):
        cross_attention_weights(empty, SRC, bos(empty))
