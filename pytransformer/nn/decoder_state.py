"""What the decoder remembers between one position and the next."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from pytransformer.nn.attention import KeyValueCache, ProjectedMemory


@dataclass
class DecoderState:
    """The caches of ``sentences * beam_size`` rows; row ``s * beam_size + b`` is beam ``b`` of
    sentence ``s``.

    Attributes:
        beam_size: rows of each sentence.
        max_length: positions for which there is room.
        positions: ``[at least max_length, d_model]``, added to the embedded tokens.
        cu_seqlens: int32 ``[sentences + 1]``: the rows of each sentence.
        caches: of self-attention, one for each layer.
        memories: what cross-attention looks at, one for each layer, held once per sentence.
        position: how many positions are done.
    """

    beam_size: int
    max_length: int
    positions: Tensor
    cu_seqlens: Tensor
    caches: list[KeyValueCache]
    memories: list[ProjectedMemory]
    position: int = 0

    @property
    def sentences(self) -> int:
        """How many sentences are still being decoded."""
        return self.cu_seqlens.shape[0] - 1

    def reorder(self, rows: Tensor) -> None:
        """Let new row ``r`` continue old row ``rows[r]``, always of the same sentence.

        Args:
            rows: int64 ``[sentences * beam_size]``.
        """
        expected = self.sentences * self.beam_size
        if rows.shape != (expected,):
            raise ValueError(f"rows has shape {tuple(rows.shape)}; expected [{expected}]")
        for cache in self.caches:
            cache.reorder(rows, self.position)

    def keep(self, sentences: Tensor) -> None:
        """Drop all sentences but these, with their rows, caches and memory.

        Args:
            sentences: int64 ``[n]``, the sentences that stay, in their new order.
        """
        beams = torch.arange(self.beam_size, device=sentences.device)
        rows = (sentences[:, None] * self.beam_size + beams).view(-1)
        self.caches = [cache.select(rows, self.position) for cache in self.caches]
        self.memories = _select(self.memories, sentences)
        self.cu_seqlens = self.cu_seqlens[: sentences.shape[0] + 1]


def beam_boundaries(sentences: int, beam_size: int, device: torch.device) -> Tensor:
    """int32 ``[sentences + 1]``: sentence ``s`` owns ``beam_size`` rows from ``s * beam_size``."""
    return torch.arange(sentences + 1, dtype=torch.int32, device=device) * beam_size


def _select(memories: list[ProjectedMemory], sentences: Tensor) -> list[ProjectedMemory]:
    """The same sentences from every layer's memory, whose boundaries are equal."""
    if not memories:
        return []
    old = memories[0].cu_seqlens.long()
    lengths = (old[1:] - old[:-1])[sentences]
    new = torch.nn.functional.pad(lengths.cumsum(0), (1, 0))
    # Row r of sentence s moves by the same distance as the sentence's first row.
    distance = (old[:-1][sentences] - new[:-1]).repeat_interleave(lengths)
    rows = torch.arange(distance.shape[0], device=distance.device) + distance
    longest = int(lengths.max()) if sentences.shape[0] else 0
    boundaries = new.to(torch.int32)
    return [memory.select(rows, boundaries, longest) for memory in memories]
