"""What the extension tells about speed."""

from __future__ import annotations

import pytest
import torch

from pytransformer import ops
from tests.cases.backend import native_only

pytestmark = native_only


def test_a_profile_counts_kernels() -> None:
    from pytransformer import _C

    _C.start_profile()
    for _ in range(3):
        ops.linear(torch.ones(2, 3), torch.ones(4, 3))
    profile = _C.stop_profile()
    assert profile.keys() == {"matmul"}
    calls, seconds = profile["matmul"]
    assert calls == 3
    assert seconds > 0
    assert _C.isa() in {name for name, _ in _C.instruction_sets()}


def test_the_peak_is_of_a_known_type() -> None:
    from pytransformer import _C

    assert _C.peak("float32", 10) > 0
    with pytest.raises(ValueError, match="float16"):
        _C.peak("float16", 10)
