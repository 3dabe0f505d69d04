"""``pytransformer bench``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pytransformer.cli import bench
from pytransformer.cli.main import main
from tests.cases.backend import native_only

ROOT = Path(__file__).resolve().parents[2]


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


@native_only
def test_the_command_runs_a_benchmark_and_loads_all_of_them() -> None:
    command = [sys.executable, "-m", "pytransformer", "bench", "embedding", "--seconds", "0.01"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert "64 x 18 x 128 float32" in result.stdout
    # As the command finds the package: without what `import pytransformer` loads for others.
    code = "import sys; sys.orig_argv = sys.argv = ['pytransformer']\nimport bench.train_step"
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr


def test_needs_a_source_tree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bench, "_ROOT", tmp_path)
    assert main(["bench"]) == 1
    assert "runs from a source tree" in capsys.readouterr().err
