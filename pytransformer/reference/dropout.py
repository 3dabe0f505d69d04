"""Dropout masks as pure functions of a seed and a position.

Philox4x32-10: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
"""

from __future__ import annotations

import torch
from torch import Tensor

from pytransformer.seed import draw_seed

_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_WEYL = (0x9E3779B9, 0xBB67AE85)
_ROUNDS = 10
_WORD = 0xFFFFFFFF

Words = tuple[Tensor, Tensor, Tensor, Tensor]


def philox4x32(counter: Words, key: tuple[int, int]) -> Words:
    """Ten rounds of Philox on 32-bit words, which are held in int64 tensors that broadcast."""
    a, b, c, d = counter
    key_0, key_1 = key
    for _ in range(_ROUNDS):
        high_a, low_a = _multiply(a, _MULTIPLIERS[0])
        high_c, low_c = _multiply(c, _MULTIPLIERS[1])
        a, b, c, d = high_c ^ b ^ key_0, low_c, high_a ^ d ^ key_1, low_a
        key_0, key_1 = (key_0 + _WEYL[0]) & _WORD, (key_1 + _WEYL[1]) & _WORD
    return a, b, c, d


def _multiply(word: Tensor, factor: int) -> tuple[Tensor, Tensor]:
    """The high and the low 32 bits of a 64-bit product, without leaving signed int64."""
    upper = word * (factor >> 16)
    lower = word * (factor & 0xFFFF)
    high = (upper + (lower >> 16)) >> 16
    low = (((upper & 0xFFFF) << 16) + lower) & _WORD
    return high, low


def row_dropout(x: Tensor, p: float, seed: int | Tensor | None) -> Tensor:
    """Dropout on the elements of ``x [..., columns]``, whose leading dimensions number the rows."""
    check_probability(p)
    if p == 0.0:
        return x
    columns = x.shape[-1]
    rows = x.numel() // columns if columns else 0
    row = torch.arange(rows, device=x.device)[:, None]
    column = torch.arange(columns, device=x.device)[None, :]
    zero = torch.zeros((), dtype=torch.int64, device=x.device)
    keep = _keep(column, (row, zero, zero), p, resolve_seed(seed))
    return apply_mask(x, keep.view(x.shape), p)


def attention_keep(
    sequence: int, heads: int, queries: int, keys: int, p: float, seed: int, device: torch.device
) -> Tensor:
    """bool ``[heads, queries, keys]``: the attention weights of one sequence that are kept."""
    head = torch.arange(heads, device=device)[:, None, None]
    query = torch.arange(queries, device=device)[None, :, None]
    key = torch.arange(keys, device=device)[None, None, :]
    one = torch.ones((), dtype=torch.int64, device=device)
    return _keep(key, (query, sequence * heads + head, one), p, seed)


def apply_mask(x: Tensor, keep: Tensor, p: float) -> Tensor:
    """Kept elements grow by ``1 / (1 - p)``, the others are multiplied by 0, as torch does."""
    return x * (keep.to(x.dtype) * (1.0 / (1.0 - p)))


def resolve_seed(seed: int | Tensor | None) -> int:
    """The given seed, or a fresh one from torch's CPU generator."""
    return int(draw_seed() if seed is None else seed)


def check_probability(p: float) -> None:
    """Raise ``ValueError`` unless ``0 <= p < 1``."""
    if not 0.0 <= p < 1.0:
        raise ValueError(f"dropout_p = {p}: must be at least 0 and less than 1")


def _keep(index: Tensor, counter: tuple[Tensor, Tensor, Tensor], p: float, seed: int) -> Tensor:
    """True where word ``index % 4`` of block ``(index // 4, *counter)`` reaches ``p * 2^32``."""
    words = philox4x32((index // 4, *counter), (seed & _WORD, (seed >> 32) & _WORD))
    shape = torch.broadcast_shapes(*(word.shape for word in words))
    blocks = torch.stack([word.expand(shape) for word in words], dim=-1)
    word = blocks.gather(-1, (index % 4).expand(shape)[..., None])[..., 0]
    return word >= int(p * 2**32)
