"""Every instruction set that this machine runs agrees with the oracle; the choice among them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
import torch

from pytransformer import ops
from tests.cases.attention import AttentionCase
from tests.cases.backend import native_only
from tests.cases.call import Call
from tests.cases.compare import DTYPES, check_against_oracle
from tests.cases.embedding import EmbeddingCase
from tests.cases.linear_cross_entropy import CrossEntropyCase
from tests.cases.random_calls import OPS, random_call
from tests.cases.rows import FeedForwardCase, LinearCase, NormCase

pytestmark = native_only

_RANDOM_CALLS = 15


def _instruction_sets() -> list[tuple[str, bool]]:
    """Those of this build, best first, and whether this machine runs them."""
    if ops.BACKEND != "native":
        return []
    from pytransformer import _C

    return _C.instruction_sets()


_RUNNING = [name for name, runs_here in _instruction_sets() if runs_here]


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """The choice of an instruction set ends with the test."""
    from pytransformer import _C

    before = _C.isa()
    yield
    _C.set_isa(before)


def _calls(dtype: torch.dtype) -> dict[str, Call]:
    """One call of each op that leaves no tile, vector or chunk whole."""
    attention = AttentionCase(
        "isa", (33, 1, 270), (35, 3, 261), head_dim=17, causal=True, mask="boolean", dropout_p=0.2
    )
    norm = NormCase((67, 37), dropout_p=0.3)
    return {
        "attention": attention.build(dtype),
        "layer_norm": NormCase((67, 37)).build(dtype),
        "add_layer_norm": norm.build(dtype, residual=True),
        "linear": LinearCase((67, 530), 35).build(dtype),
        "feed_forward": FeedForwardCase((67, 19), 41, activation="gelu", dropout_p=0.3).build(
            dtype
        ),
        "linear_cross_entropy": CrossEntropyCase(530, 37, bias=True).build(dtype),
        "embedding": EmbeddingCase((33, 0, 5), width=19, dropout_p=0.3).build(dtype),
    }


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize("isa", _RUNNING)
def test_agrees_with_the_oracle(isa: str, op: str, dtype: torch.dtype) -> None:
    from pytransformer import _C

    _C.set_isa(isa)
    assert _C.isa() == isa
    check_against_oracle(getattr(ops, op), _calls(dtype)[op], dtype)


@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize("isa", _RUNNING)
def test_agrees_with_the_oracle_on_random_calls(isa: str, op: str) -> None:
    from pytransformer import _C

    _C.set_isa(isa)
    for number in range(_RANDOM_CALLS):
        call, dtype = random_call(op, 1000 + number)
        try:
            check_against_oracle(getattr(ops, op), call, dtype)
        except Exception as error:
            error.add_note(f"random_call({op!r}, {1000 + number}), {dtype}, {call.options}")
            raise


@pytest.mark.parametrize("isa", _RUNNING)
def test_the_other_ops_agree_with_their_twins(isa: str) -> None:
    from pytransformer import _C, reference

    _C.set_isa(isa)
    call = AttentionCase("isa", (33, 4), (35, 9), head_dim=17, mask="additive").build(torch.float32)
    q, k = call.tensors["q"], call.tensors["k"]
    weights = ops.attention_weights(q, k, **call.options)
    expected = reference.attention_weights(q, k, **call.options)
    torch.testing.assert_close(weights, expected, rtol=1e-5, atol=1e-6)
    values, indices = ops.top_log_probs(weights.reshape(-1, 35), 5)
    expected_values, expected_indices = reference.top_log_probs(weights.reshape(-1, 35), 5)
    torch.testing.assert_close(values, expected_values, rtol=1e-5, atol=1e-5)
    assert torch.equal(indices, expected_indices)
    torch.testing.assert_close(ops.sum_of_squares([q, k]), reference.sum_of_squares([q, k]))
    torch.testing.assert_close(ops.orthogonalize(q), reference.orthogonalize(q))


def test_the_first_set_multiplies_fastest() -> None:
    from pytransformer import _C

    rates: dict[str, float] = dict.fromkeys(_RUNNING, 0.0)
    for _ in range(20):
        for isa in _RUNNING:
            _C.set_isa(isa)
            began = time.perf_counter()
            operations = _C.peak("bfloat16", 50_000)
            rates[isa] = max(rates[isa], operations / (time.perf_counter() - began))
    # Sets differ by a factor of two; what is left of noise in the best of 20 is far less.
    assert rates[_RUNNING[0]] > 0.75 * max(rates.values()), rates


@pytest.mark.parametrize("isa", [name for name, _ in _instruction_sets()])
def test_set_isa_chooses_or_says_what_is_lacking(isa: str) -> None:
    from pytransformer import _C

    if isa in _RUNNING:
        _C.set_isa(isa)
        assert _C.isa() == isa
    else:
        with pytest.raises(RuntimeError, match=f"'{isa}' is compiled in, but .* lacks it"):
            _C.set_isa(isa)


def test_an_unknown_set_is_refused_with_the_choices() -> None:
    from pytransformer import _C

    before = _C.isa()
    with pytest.raises(RuntimeError, match="'sse9' is not compiled in") as caught:
        _C.set_isa("sse9")
    for name, _ in _instruction_sets():
        assert name in str(caught.value)
    assert _C.isa() == before


_FIRST_USE = """
import torch
import pytransformer as pt
from pytransformer import _C
pt.ops.linear(torch.ones(3, 3), torch.ones(3, 3))
print(_C.isa())
"""


def _run(isa: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTRANSFORMER_ISA": isa}
    return subprocess.run(
        [sys.executable, "-c", _FIRST_USE],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("isa", [*_RUNNING, ""])
def test_the_environment_chooses(isa: str) -> None:
    result = _run(isa)
    assert result.stdout.strip() == (isa or _RUNNING[0]), result.stderr


def test_the_environment_names_nothing() -> None:
    result = _run("bogus")
    assert result.returncode != 0
    message = result.stderr.strip().splitlines()[-1]
    assert "'bogus' is not compiled in" in message
    for name, _ in _instruction_sets():
        assert name in message
