"""Whether arguments are checked that lie in a device's memory."""

from __future__ import annotations

import os

from torch import Tensor

_ASKED = os.environ.get("PYTRANSFORMER_CHECK") == "1"


def values_are_checked(tensor: Tensor) -> bool:
    """On the CPU always; elsewhere only where ``PYTRANSFORMER_CHECK=1`` asks for it, since reading
    them waits until the device has done all its work. The compiled ops decide alike."""
    return _ASKED or tensor.device.type == "cpu"
