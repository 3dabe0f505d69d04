"""The best scores of a row."""

from __future__ import annotations

import math

import pytest
import torch

from pytransformer import ops
from tests.cases.backend import native_only
from tests.cases.compare import DTYPES, assert_bit_equal, assert_close
from tests.cases.layout import LAYOUTS, arrange
from tests.cases.messages import assert_raises_naming


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(("rows", "columns", "k"), [(1, 1, 1), (3, 7, 7), (5, 1000, 4), (0, 9, 2)])
def test_is_the_sorted_log_softmax(rows: int, columns: int, k: int, dtype: torch.dtype) -> None:
    # Distinct in bfloat16 as well, up to 256 of them; beyond that ties go to the lower id.
    logits = (torch.randperm(rows * columns).view(rows, columns) / 16.0).to(dtype)
    values, indices = ops.top_log_probs(logits, k)
    expected = logits.double().sort(dim=-1, descending=True, stable=True)
    assert values.dtype == torch.float32
    assert torch.equal(indices, expected.indices[:, :k])
    exact = logits.double().log_softmax(-1).gather(1, indices)
    assert_close(values, exact, length=columns, floor=max(1.0, rows * columns / 16.0))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_ties_go_to_the_lower_id(layout: str) -> None:
    logits = arrange(torch.tensor([[1.0, 3.0, 3.0, 0.0, 3.0, 1.0]]).repeat(3, 20), layout)
    _, indices = ops.top_log_probs(logits, 5)
    assert indices.tolist() == [[1, 2, 4, 7, 8]] * 3


def test_a_forbidden_token_comes_last() -> None:
    values, indices = ops.top_log_probs(torch.tensor([[0.0, -math.inf, 0.0]]), 3)
    assert indices.tolist() == [[0, 2, 1]]
    assert values[0, 2] == -math.inf
    assert float(values[0, 0]) == pytest.approx(math.log(0.5))


@native_only
def test_a_row_does_not_feel_the_others() -> None:
    logits = torch.randn(40, 333)
    values, indices = ops.top_log_probs(logits, 5)
    few_values, few_indices = ops.top_log_probs(logits[17:20], 5)
    assert_bit_equal(few_values, values[17:20])
    assert torch.equal(few_indices, indices[17:20])


@native_only
@pytest.mark.parametrize(
    ("logits", "k", "words"),
    [
        (torch.ones(2, 3), 4, ["k", "4", "3"]),
        (torch.ones(2, 3), 0, ["k", "0"]),
        (torch.ones(3), 1, ["logits", "3"]),
        (torch.ones(2, 3, dtype=torch.int64), 1, ["logits", "int64|Long"]),
    ],
)
def test_bad_input_is_named(logits: torch.Tensor, k: int, words: list[str]) -> None:
    assert_raises_naming(ops.top_log_probs, dict(logits=logits, k=k), *words)
