"""``pytransformer average``."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytransformer.cli.main import main
from pytransformer.directory import load_model
from pytransformer.training import train
from tests.cases.micro_run import config


def test_it_writes_a_model_and_says_of_what(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    changes = {"checkpoints__every_steps": 2, "checkpoints__keep": 3, "validation__every_steps": 4}
    train(config(data, run, **changes))
    capsys.readouterr()
    assert main(["average", str(run), "--last", "3"]) == 0
    told = capsys.readouterr().out
    assert told.startswith(f"The average of step-8, step-10, step-12:\n  {run}/average\n")
    assert f"pytransformer evaluate {run}/average --source" in told
    load_model(run / "average")
    assert main(["average", str(run), "--best", "1", "--output", str(tmp_path / "best")]) == 0
    load_model(tmp_path / "best")
    assert main(["average", str(run), "--last", "4"]) == 1
    assert "keep = 4" in capsys.readouterr().err


def test_one_choice_is_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for choice in ([], ["--last", "0"], ["--last", "2", "--best", "2"]):
        with pytest.raises(SystemExit):
            main(["average", str(tmp_path), *choice])
    assert "not allowed with argument" in capsys.readouterr().err
