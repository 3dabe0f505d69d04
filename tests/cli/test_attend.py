"""``pytransformer attend``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from pytransformer.cli import attend
from pytransformer.cli.main import main
from pytransformer.directory import save_model
from tests.cases import translators

pytest.importorskip("matplotlib")


def test_a_picture_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_model(tmp_path / "model", translators.model(7), translators.tokenizer())
    path = tmp_path / "picture.png"
    run = ["attend", str(tmp_path / "model"), "the old cat", "--output", str(path)]
    assert main([*run, "--layer", "1", "--head", "2", "--target", "Katze"]) == 0
    assert path.read_bytes().startswith(b"\x89PNG")
    assert capsys.readouterr().out == f"wrote {path}\n"
    assert main([*run, "--layer", "7"]) == 1
    assert "layer 7 does not exist" in capsys.readouterr().err


def test_arguments(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    drawn: list[tuple[Any, ...]] = []
    monkeypatch.setattr(
        attend, "draw_attention", lambda *args, **options: drawn.append((*args, options))
    )
    assert main(["attend", "model", "a cat"]) == 0
    assert main(["attend", "model", "a cat", "--head", "3", "--output", "a.svg"]) == 0
    unset = dict(layer=None, head=None, target=None, device=torch.device("cpu"))
    assert drawn == [
        (Path("model"), "a cat", Path("attention.png"), unset),
        (Path("model"), "a cat", Path("a.svg"), {**unset, "head": 3}),
    ]
    capsys.readouterr()
    assert main(["attend", "model", "a cat", "--head", "first"]) == 1
    assert "--head first: give a number, or 'mean'" in capsys.readouterr().err
