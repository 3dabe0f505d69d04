"""Scratch memory is kept from call to call, bounded, and given back."""

from __future__ import annotations

import gc

import torch

from pytransformer import Transformer, TransformerConfig, ops, pack
from pytransformer.workspaces import release_workspaces, workspace_bytes
from tests.cases.backend import native_only
from tests.cases.threads import threads

pytestmark = native_only


def _call() -> None:
    ops.linear(torch.randn(300, 200), torch.randn(100, 200))


def test_memory_is_kept_until_it_is_released() -> None:
    with threads(1):  # which of several threads takes what differs from call to call
        release_workspaces()
        _call()
        _call()  # several blocks become one
        kept = workspace_bytes()
        assert kept > 0
        for _ in range(3):
            _call()
        assert workspace_bytes() == kept
        release_workspaces()
        assert workspace_bytes() == 0
        _call()


def test_it_goes_with_the_model() -> None:
    model = Transformer(TransformerConfig.preset("tiny", vocab_size=100))
    batch = pack([torch.randint(1, 99, (9,)) for _ in range(3)])
    model.loss(batch, batch).backward()
    assert workspace_bytes() > 0
    del model
    gc.collect()
    assert workspace_bytes() == 0
