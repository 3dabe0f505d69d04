"""The global norm: its value, its bits on any number of threads, and what it does with NaN."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from pytransformer.training.clipping import clip_gradients, gradient_norm
from tests.cases.backend import native_only
from tests.cases.layout import generator, normal


@pytest.fixture
def gradients() -> list[Tensor]:
    rng = generator(3)
    shapes = [(300, 1000), (4096,), (4097,), (7,), (33, 77)]
    return [normal(shape, rng, torch.float32) for shape in shapes]


@pytest.fixture
def restore_threads() -> Iterator[None]:
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def test_is_the_euclidean_norm(gradients: list[Tensor]) -> None:
    expected = torch.cat([gradient.double().reshape(-1) for gradient in gradients]).norm().item()
    assert gradient_norm(gradients) == pytest.approx(expected, rel=1e-12)
    assert gradient_norm([gradients[0].t()]) == pytest.approx(gradients[0].double().norm().item())
    assert gradient_norm([]) == 0.0
    assert gradient_norm([torch.empty(0), torch.tensor(-3.0), torch.tensor([4.0])]) == 5.0


@native_only
@pytest.mark.usefixtures("restore_threads")
def test_has_the_same_bits_on_any_number_of_threads(gradients: list[Tensor]) -> None:
    norms = set()
    for threads in (1, 2, 3, 5):
        torch.set_num_threads(threads)
        norms.add(gradient_norm(gradients))
    assert len(norms) == 1


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_non_finite_element_shows(gradients: list[Tensor], bad: float) -> None:
    gradients[1][4000] = bad
    assert not math.isfinite(gradient_norm(gradients))


def test_clipping_scales_to_the_limit_and_leaves_smaller_norms(gradients: list[Tensor]) -> None:
    before = [gradient.clone() for gradient in gradients]
    norm = gradient_norm(gradients)
    clip_gradients(gradients, norm, norm * 1.01)
    clip_gradients(gradients, norm, 0.0)
    assert all(map(torch.equal, gradients, before))
    clip_gradients(gradients, norm, 2.0)
    assert gradient_norm(gradients) == pytest.approx(2.0, rel=1e-6)
