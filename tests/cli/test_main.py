"""The frame of the command line: help, version, errors, signals, exit statuses."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pytransformer.cli import main as cli
from pytransformer.cli import train as train_command
from pytransformer.errors import UserError
from pytransformer.version import __version__


def _replace_run(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def run(args: argparse.Namespace) -> int:
        raise error

    monkeypatch.setattr(train_command, "run", run)


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        cli.main(["--help"])
    assert stopped.value.code == 0
    text = capsys.readouterr().out
    for command in cli.COMMANDS:
        assert f"\n    {command} " in text


@pytest.mark.parametrize("command", cli.COMMANDS)
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        cli.main([command, "--help"])
    assert stopped.value.code == 0
    assert f"usage: pytransformer {command}" in capsys.readouterr().out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        cli.main(["--version"])
    assert stopped.value.code == 0
    assert capsys.readouterr().out == f"pytransformer {__version__}\n"


@pytest.mark.parametrize("arguments", [[], ["trian"], ["train", "--unknown"]])
def test_wrong_usage_is_status_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        cli.main(arguments)
    assert stopped.value.code == 2
    assert "usage: pytransformer" in capsys.readouterr().err


def test_a_users_mistake_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _replace_run(monkeypatch, UserError("no such thing; give another"))
    assert cli.main(["train"]) == 1
    assert capsys.readouterr().err == "pytransformer: error: no such thing; give another\n"


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (NotADirectoryError(20, "Not a directory", "file/x"), "file/x: Not a directory"),
        (OSError(5, "Input/output error"), "standard input or output: Input/output error"),
        (MemoryError(), "not enough memory; take smaller batches"),
        (
            RuntimeError(
                "DefaultCPUAllocator: can't allocate memory: you tried to allocate 80 bytes."
            ),
            "not enough memory for 80 bytes; take",
        ),
        (RuntimeError("instruction set 'x' is not compiled in"), "PYTRANSFORMER_ISA: instruction"),
        (ImportError("built for another torch; rebuild it"), "built for another torch; rebuild it"),
    ],
)
def test_what_the_system_refuses_is_one_line(
    error: Exception,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    _replace_run(monkeypatch, error)
    assert cli.main(["train"]) == 1
    err = capsys.readouterr().err
    assert err.startswith(f"pytransformer: error: {message}")
    assert err.count("\n") == 1


def test_ctrl_c_is_status_130(monkeypatch: pytest.MonkeyPatch) -> None:
    _replace_run(monkeypatch, KeyboardInterrupt())
    assert cli.main(["train"]) == 130


@pytest.mark.parametrize(
    "bug", [RuntimeError("a bug"), ImportError("a bug", name="pytransformer.data"), KeyError("bug")]
)
def test_a_mistake_of_ours_is_not_hidden(monkeypatch: pytest.MonkeyPatch, bug: Exception) -> None:
    _replace_run(monkeypatch, bug)
    with pytest.raises(type(bug), match="bug"):
        cli.main(["train"])


def test_a_reader_that_leaves_is_no_error() -> None:
    # The shell's pipeline: its reader ends before the first byte is written.
    program = "import pytransformer.cli.main as m, sys; sys.stdin.read(); sys.exit(m.main())"
    process = subprocess.Popen(
        [sys.executable, "-c", program, "train", "--print-config"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    process.stdin.close()
    assert process.stderr.read() == b""
    assert process.wait() == 141


def test_runs_as_a_module() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "pytransformer", "--version"], capture_output=True, text=True
    )
    assert result.stdout == f"pytransformer {__version__}\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
def test_a_full_disk_behind_standard_output() -> None:
    with Path("/dev/full").open("wb") as full:
        result = subprocess.run(
            [sys.executable, "-m", "pytransformer", "train", "--print-config"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    message = "pytransformer: error: standard input or output: No space left on device\n"
    assert (result.returncode, result.stderr) == (1, message)


def test_closed_output_and_error_are_no_error() -> None:
    command = f"{sys.executable} -m pytransformer train --print-config >&- 2>&-"
    assert subprocess.run(["sh", "-c", command]).returncode == 0


def test_the_command_words_an_unknown_backend() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "pytransformer", "translate", "model"],
        env={**os.environ, "PYTRANSFORMER_BACKEND": "fast"},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 1
    assert result.stderr.startswith("pytransformer: error: PYTRANSFORMER_BACKEND = 'fast': set it")
    assert result.stderr.count("\n") == 1


def test_the_frame_of_the_command_imports_no_torch() -> None:
    """So that Ctrl-C, while torch is imported, meets the frame's answer."""
    program = (
        "import sys; sys.orig_argv[-len(sys.argv)] = '/bin/pytransformer'\n"
        "import pytransformer.cli.main\n"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program, "train"]).returncode == 0
