"""Random calls against the oracle, beside the awkward ones that somebody thought of."""

from __future__ import annotations

import pytest

from pytransformer import ops
from tests.cases.compare import check_against_oracle
from tests.cases.random_calls import OPS, random_call

_CALLS = 100


@pytest.mark.parametrize("op", OPS)
def test_agrees_with_the_oracle(op: str) -> None:
    for number in range(_CALLS):
        call, dtype = random_call(op, number)
        try:
            check_against_oracle(getattr(ops, op), call, dtype)
        except Exception as error:
            error.add_note(f"random_call({op!r}, {number}), {dtype}, {call.options}")
            raise
