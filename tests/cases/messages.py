"""Checks that an error says what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest


def assert_raises_naming(op: Callable[..., Any], arguments: dict[str, Any], *words: str) -> None:
    """``op`` raises ``ValueError`` or ``TypeError`` with every word in its message.

    A word may offer choices: ``"int64|Long"``.
    """
    with pytest.raises((ValueError, TypeError)) as caught:
        op(**arguments)
    message = str(caught.value)
    for word in words:
        assert any(choice in message for choice in word.split("|")), (word, message)
