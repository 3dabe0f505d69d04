"""Every benchmark is a file, and what is counted of its cases is right."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from bench import linear, orthogonalize, step_check
from bench.case import OURS, TORCH
from bench.main import BENCHMARKS
from bench.step_check import check
from bench.train_step import Data, batch, case, config_of, operations
from pytransformer import TransformerConfig
from tests.cases.backend import native_only

pytestmark = native_only

ROOT = Path(__file__).resolve().parents[2]


def test_every_benchmark_is_listed() -> None:
    for name in BENCHMARKS:
        assert (ROOT / "bench" / f"{name}.py").is_file()


def test_both_sides_of_a_step_learn() -> None:
    one = case("tiny", torch.float32, data=Data(2))
    one.check()
    for side in one.sides.values():
        side()


def test_the_operations_of_a_step_are_those_of_its_products() -> None:
    config = TransformerConfig.preset("tiny", vocab_size=10_000)
    src, tgt = batch(Data(1), even=True)
    # One source and one target sentence of 18 rows; products of a row in a layer: 4 d^2 + 2 d ff in
    # the encoder, 6 d^2 + 2 d ff and 2 d^2 of the memory in the decoder; each three times.
    d, ff, n = 128, 256, 18
    linear = n * (4 * (4 * d * d + 2 * d * ff) + 4 * (8 * d * d + 2 * d * ff) + d * 9_999)
    pairs = 4 * n * n + 4 * (n * (n + 1) / 2 + n * n)
    assert operations(config, src, tgt) == pytest.approx(2.0 * (3 * linear + 7 * d * pairs))


def test_linear_has_a_peer_that_allocates_as_ours_does() -> None:
    one = linear.case(2, 3, 4, torch.float32)
    assert [*one.sides] == [OURS, TORCH, linear.ALLOCATING]
    for side in one.sides.values():
        assert side().shape == (2, 4)


def test_both_sides_of_orthogonalize_do_the_same() -> None:
    for one in (orthogonalize.case(2, 40, 24), orthogonalize.case(2, 24, 40)):
        one.check()
        # A step: X X^T of 24^2 sums of 40, its square, and that times X.
        assert one.operations == 2 * 5 * 2 * (24 * 24 * 40 + 24**3 + 24 * 24 * 40)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_step_with_a_wrong_gradient_is_noticed(
    dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, sentences = config_of("tiny", 0.1), batch(Data(1), even=False)
    check(config, *sentences, dtype)
    right = step_check._gradient
    monkeypatch.setattr(step_check, "_gradient", lambda parameter: 1.5 * right(parameter))
    with pytest.raises(AssertionError):
        check(config, *sentences, dtype)
