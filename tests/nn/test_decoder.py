"""The decoder: what a row sees, and the bookkeeping of its state."""

from __future__ import annotations

import pytest
import torch

from pytransformer import Packed, pack
from pytransformer.nn import Decoder
from tests.cases.models import small_config


def _rows(*lengths: int) -> Packed:
    return pack([torch.randn(n, 12, dtype=torch.float64) for n in lengths])


@pytest.mark.parametrize("norm_first", [False, True])
def test_a_row_sees_its_past_and_the_whole_memory(norm_first: bool) -> None:
    decoder = Decoder(small_config(norm_first=norm_first)).double()
    rows, memory = _rows(4, 3), _rows(2, 5)
    rows.values.requires_grad_()
    memory.values.requires_grad_()
    hidden = decoder(rows, memory).values
    by_rows, by_memory = torch.autograd.grad(
        hidden[1].sum() + hidden[1, 0], [rows.values, memory.values]
    )
    assert (by_rows != 0).any(1).tolist() == [True, True, False, False, False, False, False]
    assert (by_memory != 0).any(1).tolist() == [True, True, False, False, False, False, False]


def test_keep_drops_the_memory_of_the_others() -> None:
    decoder = Decoder(small_config()).double().eval()
    memory = _rows(2, 0, 5, 1)
    positions = torch.zeros(3, 12, dtype=torch.float64)
    state = decoder.start(memory, positions, beam_size=2, max_length=3)
    whole = [memory.kv for memory in state.memories]
    state.keep(torch.tensor([3, 2]))
    assert state.cu_seqlens.tolist() == [0, 2, 4]
    for projected, kv in zip(state.memories, whole, strict=True):
        assert projected.cu_seqlens.tolist() == [0, 1, 6]
        assert projected.max_seqlen == 5
        order = torch.tensor([7, 2, 3, 4, 5, 6])
        assert torch.equal(projected.kv, kv[order])


def test_without_layers_a_step_is_the_identity() -> None:
    decoder = Decoder(small_config(decoder_layers=0)).double().eval()
    state = decoder.start(_rows(2), torch.zeros(3, 12), beam_size=1, max_length=3)
    state.keep(torch.tensor([0]))
    rows = torch.randn(1, 12, dtype=torch.float64)
    assert torch.equal(decoder.step(rows, state), rows)
