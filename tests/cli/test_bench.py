"""``pytransformer bench``."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytransformer.cli import bench
from pytransformer.cli.main import main
from tests.cases.backend import native_only


@native_only
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["atention"], "bench has no atention; choose from linear, attention"),
        (["--seconds", "0"], "--seconds 0.0"),
        (["--threads", "0"], "--threads 0"),
    ],
)
def test_refuses(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", *arguments]) == 1
    assert message in capsys.readouterr().err


def test_needs_a_source_tree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bench, "_ROOT", tmp_path)
    assert main(["bench"]) == 1
    assert "runs from a source tree" in capsys.readouterr().err
