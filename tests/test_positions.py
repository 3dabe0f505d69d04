"""Sinusoidal positions."""

from __future__ import annotations

import math

import pytest

from pytransformer.positions import sinusoids


def test_are_the_papers_with_sines_before_cosines() -> None:
    table = sinusoids(50, 6)
    for t in (0, 1, 49):
        for i in range(3):
            angle = t / 10000 ** (2 * i / 6)
            assert float(table[t, i]) == pytest.approx(math.sin(angle), abs=1e-13)
            assert float(table[t, i + 3]) == pytest.approx(math.cos(angle), abs=1e-13)


@pytest.mark.parametrize("width", [1, 3, 5])
def test_an_odd_width_has_one_sine_more(width: int) -> None:
    table = sinusoids(4, width)
    sines = (width + 1) // 2
    assert table.shape == (4, width)
    assert table[0].tolist() == [0.0] * sines + [1.0] * (width - sines)


def test_a_longer_table_begins_with_a_shorter_one() -> None:
    assert bool((sinusoids(9, 8)[:4] == sinusoids(4, 8)).all())
