"""The frame of the command line: help, version, errors, signals, exit statuses."""

from __future__ import annotations

import argparse
import subprocess
import sys

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


def test_ctrl_c_is_status_130(monkeypatch: pytest.MonkeyPatch) -> None:
    _replace_run(monkeypatch, KeyboardInterrupt())
    assert cli.main(["train"]) == 130


def test_a_mistake_of_ours_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    _replace_run(monkeypatch, RuntimeError("a bug"))
    with pytest.raises(RuntimeError, match="a bug"):
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
