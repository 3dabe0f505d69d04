"""The same numbers in memory layouts that kernels find awkward."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def _contiguous(x: Tensor) -> Tensor:
    return x.contiguous()


def _offset(x: Tensor) -> Tensor:
    """Contiguous, but one element away from any alignment."""
    storage = x.new_empty(x.numel() + 1)
    return storage[1:].view(x.shape).copy_(x)


def _padded_rows(x: Tensor) -> Tensor:
    """Rows begin at odd offsets and lie apart."""
    storage = x.new_full((*x.shape[:-1], x.shape[-1] + 3), float("nan"))
    view = storage[..., 1 : x.shape[-1] + 1]
    return view.copy_(x)


def _sparse_columns(x: Tensor) -> Tensor:
    """Every second element of the last dimension."""
    storage = x.new_full((*x.shape[:-1], 2 * x.shape[-1]), float("nan"))
    return storage[..., ::2].copy_(x)


def _transposed(x: Tensor) -> Tensor:
    """The two dimensions before the last (or the last two of a matrix) swapped in memory."""
    if x.dim() < 2:
        return x.contiguous()
    first = max(x.dim() - 3, 0)
    return x.transpose(first, first + 1).contiguous().transpose(first, first + 1)


def _expanded(x: Tensor) -> Tensor:
    """The first element of the leading dimension, repeated with stride 0."""
    return x[:1].expand(x.shape) if x.shape[0] > 1 else x


LAYOUTS: dict[str, Callable[[Tensor], Tensor]] = {
    "contiguous": _contiguous,
    "offset": _offset,
    "padded rows": _padded_rows,
    "sparse columns": _sparse_columns,
    "transposed": _transposed,
    "expanded": _expanded,
}


def arrange(x: Tensor, layout: str) -> Tensor:
    """``x`` in one of ``LAYOUTS``; only ``expanded`` changes its values."""
    return LAYOUTS[layout](x)


def generator(seed: int) -> torch.Generator:
    """A CPU generator of its own, so that cases do not depend on their order."""
    return torch.Generator().manual_seed(seed)


def normal(shape: tuple[int, ...], rng: torch.Generator, dtype: torch.dtype) -> Tensor:
    """Standard normal numbers, drawn in float64 and rounded, so that all dtypes share them; on the
    device where new tensors are made."""
    drawn = torch.randn(shape, generator=rng, dtype=torch.float64, device="cpu")
    return drawn.to(torch.get_default_device(), dtype)


def integers(low: int, high: int, shape: tuple[int, ...], rng: torch.Generator) -> Tensor:
    """int64, at least ``low`` and below ``high``, likewise."""
    drawn = torch.randint(low, high, shape, generator=rng, device="cpu")
    return drawn.to(torch.get_default_device())
