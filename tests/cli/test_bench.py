"""``pytransformer bench``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bench import main as bench_main
from bench.settings import Settings
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
    command.append("--no-compile")
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert "64 x 18 x 128 float32" in result.stdout
    # As the command finds the package: without what `import pytransformer` loads for others.
    code = "import sys; sys.orig_argv = sys.argv = ['pytransformer']\nimport bench.train_step"
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr


def test_arguments_reach_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr(bench_main, "run", lambda *arguments: asked.append(arguments))
    assert main(["bench"]) == 0
    files = ["--json", "a.json", "--markdown", "b.md"]
    assert main(["bench", "linear", "memory", "--seconds", "0.5", "--no-compile", *files]) == 0
    assert asked == [
        ([], Settings(seconds=3.0, compile=True), None, None),
        (["linear", "memory"], Settings(0.5, compile=False), Path("a.json"), Path("b.md")),
    ]


def test_help_names_every_benchmark(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["bench", "--help"])
    words = capsys.readouterr().out.split()
    assert set(bench_main.BENCHMARKS) <= set(words)


def test_needs_a_source_tree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bench, "_ROOT", tmp_path)
    assert main(["bench"]) == 1
    assert "runs from a source tree" in capsys.readouterr().err
