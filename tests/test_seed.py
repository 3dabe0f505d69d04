"""The seed of a dropout mask."""

from __future__ import annotations

import torch

from pytransformer.seed import draw_seed


def test_torchs_seed_decides() -> None:
    drawn = []
    for _ in range(2):
        torch.manual_seed(7)
        drawn.append([int(draw_seed()) for _ in range(3)])
    assert drawn[0] == drawn[1]
    assert len(set(drawn[0])) == 3


def test_is_one_number_on_the_cpu() -> None:
    seed = draw_seed()
    assert seed.shape == ()
    assert seed.dtype == torch.int64
    assert seed.device.type == "cpu"
    assert int(seed) >= 0
