"""Where the tests compute: ``PYTRANSFORMER_TEST_DEVICE`` says it.

``cpu`` (the default) or ``cuda``; or ``pretended``: tensors that lie in the CPU's memory and say
that they are elsewhere, so that what would mix devices on a GPU does so on every machine.

Under pytest it is torch's default device.
"""

from __future__ import annotations

import os

import pytest

DEVICE = os.environ.get("PYTRANSFORMER_TEST_DEVICE") or "cpu"
if DEVICE not in ("cpu", "cuda", "pretended"):
    raise ValueError(f"PYTRANSFORMER_TEST_DEVICE = {DEVICE!r}: set cpu, cuda or pretended")

cpu_only = pytest.mark.skipif(
    DEVICE != "cpu", reason="about the CPU; PYTRANSFORMER_TEST_DEVICE selects another device"
)
real_only = pytest.mark.skipif(
    DEVICE == "pretended", reason="asks torch of the device what it does not know of this one"
)
cuda_only = pytest.mark.skipif(
    DEVICE != "cuda",
    reason="about CUDA devices; PYTRANSFORMER_TEST_DEVICE=cuda runs it on one",
)
