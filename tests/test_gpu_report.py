"""The report of a GPU: each step is done or told why not, and a page is written whatever comes."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """``scripts/gpu_report.py``, with its logs in a directory of the test."""
    spec = importlib.util.spec_from_file_location("gpu_report", ROOT / "scripts/gpu_report.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "gpu_report", module)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "WORK", tmp_path)
    monkeypatch.setattr(module, "LEAST", 0.5)
    return module


def test_a_step_passes_if_all_its_commands_do(script: ModuleType) -> None:
    step = script.Step("both", ["echo one; echo two", "echo three"], 20)
    outcome = script.run(step, 100)
    assert (outcome.result, [*outcome.said]) == ("passed", ["two", "three"])
    assert not outcome.failed


def test_commands_run_side_by_side_with_their_environment(script: ModuleType) -> None:
    began = time.monotonic()
    step = script.Step("both", ["sleep 1; echo $PT_X", "sleep 1"], 20, {"PT_X": "here"})
    outcome = script.run(step, 100)
    assert outcome.said[0] == "here"
    assert time.monotonic() - began < 1.9


def test_a_failure_shows_the_end_of_what_was_printed(script: ModuleType) -> None:
    outcome = script.run(script.Step("one", ["seq 100; exit 3", "echo fine"], 20), 100)
    assert outcome.result == "FAILED with status 3"
    assert outcome.failed
    assert outcome.output.splitlines()[-1] == "100"
    assert "fine" not in outcome.output
    assert len(outcome.output.splitlines()) == script.SHOWN_LINES


def test_what_is_late_is_ended_with_all_that_it_started(script: ModuleType, tmp_path: Path) -> None:
    command = f"(sleep 3; touch {tmp_path / 'survived'}) & sleep 30"
    outcome = script.run(script.Step("one", [command], 1), 100)
    assert outcome.result == "ended, its time was over"
    assert outcome.failed
    time.sleep(3)
    assert not (tmp_path / "survived").exists()


def test_the_deadline_ends_a_step_and_later_ones_are_not_begun(script: ModuleType) -> None:
    assert script.run(script.Step("one", ["sleep 30"], 20), 0.6).seconds < 5
    outcome = script.run(script.Step("two", ["echo hello"], 20), 0.1)
    assert outcome.failed
    assert "no time was left" in outcome.result


def test_what_a_machine_cannot_do_is_no_failure(script: ModuleType) -> None:
    outcome = script.run(script.Step("one", [f"echo refused; exit {script.UNAVAILABLE}"], 20), 100)
    assert (outcome.result, [*outcome.said]) == ("not available here", ["refused"])
    assert not outcome.failed
    assert not outcome.output


def test_the_page_holds_everything(script: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "ops.md").write_text("# Benchmarks, today\n\n## attention\n\na table\n")
    outcomes = [
        script.Outcome("build", "passed", 61.4, ["built"]),
        script.Outcome("doctor", "FAILED with status 1", 2.0, ["wrong"], "what was\nwrong"),
    ]
    page = script.page([("GPU", "NVIDIA H200"), ("sources", "commit abc")], outcomes)
    assert page.startswith("# NVIDIA H200: tests and benchmarks, 20")
    assert "| build | passed | 61 | built |" in page
    assert "```\nwhat was\nwrong\n```" in page
    assert page.endswith("## Benchmarks, today\n\n### attention\n\na table\n")


def test_a_bar_in_what_was_said_does_not_end_its_cell(script: ModuleType) -> None:
    assert r"a \| b" in script.checks([script.Outcome("one", "passed", 1.0, ["a | b"])])


def test_sources_are_named(script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    named = script.sources()
    assert named.startswith(("commit ", "no commit"))
    monkeypatch.setattr(script.shutil, "which", lambda tool: None)
    without_git = script.sources()
    assert "sha256" in without_git
    assert without_git == script.sources()


def test_every_file_that_it_names_is_there(script: ModuleType) -> None:
    for words in script.PYTEST_PARTS:
        for word in words.split():
            assert (ROOT / word.removeprefix("--ignore=")).exists(), word
    from bench.main import BENCHMARKS, ON_THE_CPU

    named = [*script.BENCHMARKS.split(), "train_step"]
    assert sorted(named) == sorted(set(BENCHMARKS) - set(ON_THE_CPU))


@pytest.mark.parametrize(
    ("major", "minor", "name"), [(8, 0, "80"), (8, 9, "89"), (9, 0, "90a"), (12, 0, "120")]
)
def test_architectures(script: ModuleType, major: int, minor: int, name: str) -> None:
    assert script.architecture_of(major, minor) == name


def test_without_a_gpu_it_says_so() -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a GPU, and the report would be made")
    command = [sys.executable, str(ROOT / "scripts/gpu_report.py")]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 2
    assert found.stderr.startswith("gpu-report: torch")
    assert "nvcc" in found.stderr
