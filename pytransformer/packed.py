"""Ragged batches without padding.

A batch of sequences is held as one tensor of rows and the offsets at which the sequences begin:
the convention of the variable-length attention kernels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils import _pytree as pytree


@dataclass(frozen=True)
class Packed:
    """Sequences laid end to end.

    Attributes:
        values: ``[rows, ...]``; int64 tokens, or float rows.
        cu_seqlens: int32 ``[batch + 1]`` on the device of ``values``; sequence ``b`` owns the rows
            ``cu_seqlens[b]`` up to, and without, ``cu_seqlens[b + 1]``.
        max_seqlen: the length of the longest sequence.
    """

    values: Tensor
    cu_seqlens: Tensor
    max_seqlen: int

    def __len__(self) -> int:
        """The number of sequences."""
        return self.cu_seqlens.shape[0] - 1

    @property
    def lengths(self) -> Tensor:
        """int32 ``[batch]``: the length of each sequence."""
        return self.cu_seqlens[1:] - self.cu_seqlens[:-1]

    def with_values(self, values: Tensor) -> Packed:
        """Other rows with the same boundaries."""
        return Packed(values, self.cu_seqlens, self.max_seqlen)

    def to(self, device: torch.device | str) -> Packed:
        """The same batch on another device."""
        return Packed(self.values.to(device), self.cu_seqlens.to(device), self.max_seqlen)

    def unpack(self) -> list[Tensor]:
        """The sequences, one tensor each (views of ``values``)."""
        return list(self.values.split(self.lengths.tolist()))


pytree.register_dataclass(Packed)


def pack(sequences: Sequence[Tensor]) -> Packed:
    """Lay sequences end to end.

    Args:
        sequences: at least one tensor; all with the same dtype, device and trailing shape. Tokens
            are 1-d int64; an empty sequence is allowed.

    Raises:
        ValueError: if there are no sequences, or if they disagree; the message names the index.
        TypeError: if one is no tensor.
    """
    if len(sequences) == 0:
        raise ValueError("pack: sequences is empty; give at least one tensor")
    first = sequences[0]
    for index, sequence in enumerate(sequences):
        if not isinstance(sequence, Tensor):
            raise TypeError(
                f"pack: sequences[{index}] is {type(sequence).__name__}; give a torch.Tensor"
            )
        if sequence.dim() == 0 or sequence.shape[1:] != first.shape[1:]:
            expected = ", ".join(["length", *map(str, first.shape[1:])])
            raise ValueError(
                f"pack: sequences[{index}] has shape {tuple(sequence.shape)}; expected "
                f"[{expected}] as in sequences[0]"
            )
        if sequence.dtype != first.dtype or sequence.device != first.device:
            raise ValueError(
                f"pack: sequences[{index}] is {sequence.dtype} on {sequence.device}, but "
                f"sequences[0] is {first.dtype} on {first.device}"
            )
    lengths = [sequence.shape[0] for sequence in sequences]
    offsets = torch.tensor([0, *lengths], dtype=torch.int64, device="cpu").cumsum(0)
    return Packed(
        torch.cat(list(sequences)), offsets.to(torch.int32).to(first.device), max(lengths)
    )
