"""Ragged batches."""

from __future__ import annotations

import pytest
import torch
from torch.utils import _pytree as pytree

from pytransformer import Packed, pack


def test_lays_sequences_end_to_end() -> None:
    parts = [torch.tensor([3, 4]), torch.tensor([], dtype=torch.int64), torch.tensor([5])]
    batch = pack(parts)
    assert batch.values.tolist() == [3, 4, 5]
    assert batch.cu_seqlens.tolist() == [0, 2, 2, 3]
    assert batch.cu_seqlens.dtype == torch.int32
    assert batch.max_seqlen == 2
    assert len(batch) == 3
    assert batch.lengths.tolist() == [2, 0, 1]
    for part, unpacked in zip(parts, batch.unpack(), strict=True):
        assert torch.equal(part, unpacked)


def test_keeps_rows_of_any_width() -> None:
    batch = pack([torch.zeros(2, 5), torch.ones(1, 5)])
    assert batch.values.shape == (3, 5)
    assert batch.with_values(torch.zeros(3)).cu_seqlens is batch.cu_seqlens


def test_is_frozen() -> None:
    batch = pack([torch.tensor([1])])
    with pytest.raises(AttributeError):
        batch.max_seqlen = 7


def test_is_a_pytree() -> None:
    batch = pack([torch.tensor([1, 2]), torch.tensor([3])])
    doubled = pytree.tree_map_only(torch.Tensor, lambda tensor: 2 * tensor, batch)
    assert isinstance(doubled, Packed)
    assert doubled.values.tolist() == [2, 4, 6]


def test_moves_to_a_device_whole() -> None:
    batch = pack([torch.tensor([1, 2])]).to("meta")
    assert batch.values.device.type == batch.cu_seqlens.device.type == "meta"


@pytest.mark.parametrize(
    ("sequences", "message"),
    [
        ([], "sequences is empty"),
        ([torch.tensor(1)], r"sequences\[0\] has shape \(\); expected \[length\] as"),
        ([torch.zeros(2, 3), torch.zeros(2, 4)], r"sequences\[1\] has shape \(2, 4\)"),
        ([torch.zeros(2), torch.zeros(2).double()], r"sequences\[1\] is torch.float64"),
    ],
)
def test_sequences_that_disagree_are_named(sequences: list[torch.Tensor], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        pack(sequences)


def test_a_sequence_that_is_no_tensor_is_named() -> None:
    with pytest.raises(TypeError, match=r"sequences\[1\] is list; give a torch\.Tensor"):
        pack([torch.tensor([1]), [1, 2]])
