"""Which dtype rows arrive in, and which dtype they are computed in."""

from __future__ import annotations

import torch
from torch import Tensor


def compute_dtype(dtype: torch.dtype) -> torch.dtype:
    """float32 for the half-width dtypes, every other dtype itself."""
    return torch.float32 if dtype in (torch.bfloat16, torch.float16) else dtype


def autocast_dtype(device: torch.device) -> torch.dtype | None:
    """The dtype of the enclosing ``torch.autocast`` region, or None outside of one."""
    if device.type == "meta" or not torch.is_autocast_enabled(device.type):
        return None
    return torch.get_autocast_dtype(device.type)


def autocast(x: Tensor) -> Tensor:
    """Round float32 rows as the enclosing ``torch.autocast`` region asks; leave others alone."""
    dtype = autocast_dtype(x.device)
    return x if dtype is None or x.dtype != torch.float32 else x.to(dtype)


def rounded(parameter: Tensor, x: Tensor) -> Tensor:
    """A weight as the product with ``x`` sees it: in ``x``'s precision, held in compute dtype."""
    return parameter.to(x.dtype).to(compute_dtype(x.dtype))
