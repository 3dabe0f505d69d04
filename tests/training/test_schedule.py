"""The learning rate against figures computed by hand."""

from __future__ import annotations

import pytest

from pytransformer.training import schedule


def test_paper_peaks_at_the_end_of_the_warm_up() -> None:
    # Section 5.3 with d_model 512 and 4000 steps: 512^-0.5 * 4000^-0.5.
    assert schedule.paper(4000, 512, 4000) == pytest.approx(6.987712e-4, rel=1e-6)
    assert schedule.paper(1, 512, 4000) == pytest.approx(1.746928e-7, rel=1e-6)
    assert schedule.paper(16000, 512, 4000) == pytest.approx(6.987712e-4 / 2, rel=1e-6)
    rates = [schedule.paper(step, 512, 4000) for step in range(1, 9000)]
    assert rates.index(max(rates)) == 3999


def test_inverse_sqrt_has_the_given_peak() -> None:
    assert schedule.inverse_sqrt(100, 2e-3, 100) == 2e-3
    assert schedule.inverse_sqrt(25, 2e-3, 100) == pytest.approx(0.5e-3)
    assert schedule.inverse_sqrt(400, 2e-3, 100) == pytest.approx(1e-3)


def test_both_are_one_curve() -> None:
    peak = schedule.paper(50, 64, 50)
    for step in (1, 7, 50, 51, 1000):
        expected = schedule.paper(step, 64, 50)
        assert schedule.inverse_sqrt(step, peak, 50) == pytest.approx(expected, rel=1e-12)


def test_linear_rises_to_its_peak_and_ends_just_above_zero() -> None:
    assert schedule.linear(50, 2e-3, 100, 1000) == pytest.approx(1e-3)
    assert schedule.linear(100, 2e-3, 100, 1000) == 2e-3
    assert schedule.linear(1000, 2e-3, 100, 1000) == pytest.approx(2e-3 / 901)
    assert schedule.linear(1001, 2e-3, 100, 1000) == 0.0
    rates = [schedule.linear(step, 1.0, 10, 100) for step in range(10, 101)]
    assert rates == sorted(rates, reverse=True)
