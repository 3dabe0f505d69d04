"""The picture of runs: what is drawn where, whatever they hold."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

from pytransformer.errors import UserError
from tests.cases.disk import full_disk
from tests.cases.logs import line, update, validation, write

pytest.importorskip("matplotlib")

from pytransformer.training.curves import read_runs
from pytransformer.training.plot import draw, plot

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(autouse=True)
def _no_warnings() -> None:
    """matplotlib warns of glyphs that are missing and of layouts that it could not make."""
    warnings.simplefilter("error")


def _whole(run: Path, steps: int = 30) -> Path:
    lines = [update(step) for step in range(1, steps + 1)]
    return write(run, [*lines, validation(10), validation(20), line("skip", 20, loss="nan")])


def test_every_curve_has_its_panel(tmp_path: Path) -> None:
    runs = read_runs([_whole(tmp_path / "a"), _whole(tmp_path / "b", steps=60)], "updates")
    figure = draw(runs, "updates")
    drawn = {
        panel.get_title(loc="left"): [line for line in panel.lines if line.get_alpha() is None]
        for panel in figure.axes
    }
    names = ("loss (in training with label smoothing)", "BLEU of validation", "learning rate")
    loss, bleu, rate = (drawn[name] for name in names)
    assert [line.get_color() for line in bleu] == ["#0072B2", "#D55E00"]
    assert [line.get_ydata().tolist() for line in bleu] == [[20.0, 40.0]] * 2
    assert rate[1].get_xdata().tolist() == list(range(1, 61))
    assert rate[1].get_ydata()[-1] == 0.06
    training, validated, *_ = loss
    assert np.allclose(training.get_ydata(), runs[0].loss.y)
    assert validated.get_ydata().tolist() == [0.8, 0.4]
    assert len(drawn["gradient norm"]) == len(drawn["tokens per second"]) == 2
    legend = figure.axes[-1].get_legend()
    assert [text.get_text() for text in legend.get_texts()] == [
        "a: BLEU 40.0 at its best (update 20)",
        "b: BLEU 40.0 at its best (update 20)",
        "training: running mean",
        "validation",
        "skipped",
    ]


@pytest.mark.parametrize("axis", ["updates", "epochs", "minutes"])
def test_the_axis_is_named(tmp_path: Path, axis: str) -> None:
    figure = draw(read_runs([_whole(tmp_path / "run")], axis), axis)  # type: ignore[arg-type]
    assert [panel.get_xlabel() for panel in figure.axes] == ["", "", "", axis, axis, ""]


def test_no_panel_touches_another(tmp_path: Path) -> None:
    names = [f"{index}-{'long-' * 20}name" for index in range(12)]
    figure = draw(read_runs([_whole(tmp_path / name) for name in names], "updates"), "updates")
    figure.draw_without_rendering()
    boxes = [panel.get_tightbbox() for panel in figure.axes]
    for index, box in enumerate(boxes):
        assert box.width > 200
        assert not any(box.overlaps(other) for other in boxes[:index])


def test_a_run_that_has_just_begun(tmp_path: Path) -> None:
    run = write(tmp_path / "run", [update(1), '{"kind": "tr'])
    (read,) = read_runs([run], "updates")
    figure = draw([read], "updates")
    assert [text.get_text() for text in figure.axes[1].texts] == ["no validation yet"]
    assert all(panel.lines[-1].get_marker() == "." for panel in figure.axes[2:5])
    plot([run], tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes().startswith(PNG)


def test_names_in_hangul_and_with_dollars(tmp_path: Path) -> None:
    plot([_whole(tmp_path / "학습 $1$")], tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes().startswith(PNG)


def test_too_many_runs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="22 runs cannot be told apart in one picture; draw 21"):
        plot([tmp_path] * 22, tmp_path / "curves.png")


def test_a_full_disk_leaves_the_picture_before(tmp_path: Path) -> None:
    run, path = _whole(tmp_path / "run"), tmp_path / "curves.png"
    path.write_bytes(b"before")
    with full_disk(room=1000), pytest.raises(UserError, match=r"cannot write .*curves.png: "):
        plot([run], path)
    assert path.read_bytes() == b"before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["curves.png", "run"]
