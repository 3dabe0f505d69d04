"""Marks for tests that only one of the two backends can pass."""

from __future__ import annotations

import pytest

from pytransformer import ops

native_only = pytest.mark.skipif(
    ops.BACKEND != "native",
    reason="a promise of the compiled ops; PYTRANSFORMER_BACKEND selects the reference",
)
