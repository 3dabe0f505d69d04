"""The one place where dropout takes its randomness from torch."""

from __future__ import annotations

import torch
from torch import Tensor

# Non-negative, and not quite 2^63 values, so that compilers which compute ``high - low`` in int64
# do not overflow.
_HIGH = 2**63 - 1


def draw_seed() -> Tensor:
    """Draw the seed of one dropout mask from torch's CPU generator.

    ``torch.manual_seed`` therefore governs every mask, on every device. The seed stays a tensor so
    that a compiled model draws a new one on each call.

    Returns:
        int64 ``[]`` on the CPU, in ``[0, 2^63 - 1)``.
    """
    return torch.randint(0, _HIGH, (), dtype=torch.int64, device="cpu")
