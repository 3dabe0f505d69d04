"""Multi-head attention against torch.nn's."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from pytransformer import Packed, pack
from pytransformer.nn import CrossAttention, KeyValueCache, SelfAttention
from tests.cases.device import real_only

D_MODEL, HEADS = 12, 3


def _rows(*lengths: int) -> Packed:
    return pack([torch.randn(n, D_MODEL, dtype=torch.float64) for n in lengths])


@real_only
@pytest.mark.parametrize("causal", [False, True])
def test_self_attention_is_torchs(causal: bool) -> None:
    module = SelfAttention(D_MODEL, HEADS, dropout=0.0).double()
    oracle = nn.MultiheadAttention(D_MODEL, HEADS, batch_first=True, dtype=torch.float64)
    oracle.in_proj_weight.data = module.qkv.weight.data
    oracle.in_proj_bias.data = module.qkv.bias.data.normal_()
    oracle.out_proj.weight.data = module.out.weight.data
    oracle.out_proj.bias.data = module.out.bias.data.normal_()
    rows = _rows(4, 1, 6)
    result = module(rows.values, rows.cu_seqlens, rows.max_seqlen, causal=causal)
    for x, actual in zip(rows.unpack(), rows.with_values(result).unpack(), strict=True):
        mask = torch.ones(len(x), len(x), dtype=torch.bool).triu(1) if causal else None
        expected, _ = oracle(x[None], x[None], x[None], attn_mask=mask, need_weights=False)
        torch.testing.assert_close(actual, expected[0])


@real_only
def test_cross_attention_is_torchs() -> None:
    module = CrossAttention(D_MODEL, HEADS, dropout=0.0).double()
    oracle = nn.MultiheadAttention(D_MODEL, HEADS, batch_first=True, dtype=torch.float64)
    oracle.in_proj_weight.data = torch.cat([module.q.weight.data, module.kv.weight.data])
    oracle.in_proj_bias.data = torch.cat(
        [module.q.bias.data.normal_(), module.kv.bias.data.normal_()]
    )
    oracle.out_proj.weight.data = module.out.weight.data
    oracle.out_proj.bias.data = module.out.bias.data.normal_()
    rows, memory = _rows(4, 1), _rows(2, 7)
    result = module(rows.values, rows.cu_seqlens, rows.max_seqlen, module.project(memory))
    parts = zip(rows.unpack(), memory.unpack(), rows.with_values(result).unpack(), strict=True)
    for x, seen, actual in parts:
        expected, _ = oracle(x[None], seen[None], seen[None], need_weights=False)
        torch.testing.assert_close(actual, expected[0])


def test_projections_start_as_separate_square_matrices() -> None:
    qkv = SelfAttention(64, 4, dropout=0.0).qkv.weight
    limit = (6.0 / (64 + 64)) ** 0.5  # Xavier uniform of a [64, 64] matrix
    for block in qkv.chunk(3):
        assert 0.95 * limit < float(block.detach().abs().max()) <= limit


def test_weights_are_dropped_in_training_alone() -> None:
    module = SelfAttention(D_MODEL, HEADS, dropout=0.5).double()
    rows = _rows(9)
    first, second = (module(rows.values, rows.cu_seqlens, 9) for _ in range(2))
    assert not torch.equal(first, second)
    module.eval()
    first, second = (module(rows.values, rows.cu_seqlens, 9) for _ in range(2))
    assert torch.equal(first, second)


def test_a_cache_moves_only_what_is_filled() -> None:
    keys = torch.arange(12.0).view(3, 4, 1, 1)
    cache = KeyValueCache(keys.clone(), -keys)
    cache.reorder(torch.tensor([0, 0, 1]), length=2)
    assert cache.keys[:, :, 0, 0].tolist() == [[0, 1, 2, 3], [0, 1, 6, 7], [4, 5, 10, 11]]
    kept = cache.select(torch.tensor([2]), length=2)
    assert kept.keys.shape == (1, 4, 1, 1)
    assert kept.values[0, :2, 0, 0].tolist() == [-4, -5]
