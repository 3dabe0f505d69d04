"""Random orders that stay the same with every version of NumPy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def shuffled(count: int, bits: np.random.PCG64) -> NDArray[np.int64]:
    """A random order of 0 … ``count`` - 1.

    NumPy promises that a bit generator's stream never changes, but not that its shuffling never
    does; so the order is that of random numbers.
    """
    return np.argsort(bits.random_raw(count), kind="stable")
