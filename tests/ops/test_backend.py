"""The switch between the compiled ops and the reference."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

import pytransformer as pt
from pytransformer import ops, reference


def _python(backend: str, code: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTRANSFORMER_BACKEND": backend}
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )


def test_all_ops_come_from_the_selected_backend() -> None:
    for name in reference.__all__:
        same = getattr(ops, name) is getattr(reference, name)
        assert same == (ops.BACKEND == "reference"), name


def test_the_reference_needs_nothing_compiled() -> None:
    code = "import sys, pytransformer; print('pytransformer._C' in sys.modules)"
    result = _python("reference", code)
    assert result.stdout.strip() == "False", result.stderr


def test_an_unknown_backend_is_refused() -> None:
    result = _python("fast", "import pytransformer")
    assert result.returncode != 0
    assert "PYTRANSFORMER_BACKEND = 'fast'" in result.stderr
    assert "'native'" in result.stderr


def test_the_package_has_its_public_names() -> None:
    for name in pt.__all__:
        assert hasattr(pt, name), name
    with pytest.raises(AttributeError, match="no attribute 'Transfromer'"):
        pt.Transfromer  # noqa: B018
