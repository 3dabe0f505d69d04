"""What is read from the logs of runs: every point, by its place; damage by its line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pytransformer.errors import UserError
from pytransformer.training.curves import Axis, Curve, read_runs
from tests.cases.logs import line, update, validation, write


@pytest.mark.parametrize(("axis", "unit"), [("updates", 1.0), ("epochs", 0.1), ("minutes", 0.1)])
def test_a_log_becomes_curves(tmp_path: Path, axis: Axis, unit: float) -> None:
    run = write(
        tmp_path / "run",
        [
            *[update(1), update(2), validation(2), line("skip", 2, loss="nan", grad_norm="inf")],
            *[update(3), update(4), validation(4, loss="nan", best=False), '{"kind": "train", "st'],
        ],
    )
    (read,) = read_runs([run], axis)
    assert read.label == "run"
    assert read.loss.x.tolist() == pytest.approx([unit, 2 * unit, 3 * unit, 4 * unit])
    assert read.loss.y.tolist() == [10.0, 5.0, 10 / 3, 2.5]
    assert read.learning_rate.y.tolist() == [0.001, 0.002, 0.003, 0.004]
    assert read.grad_norm.y.tolist() == [3.0, 2.0, 3.0, 2.0]
    assert read.tokens_per_second.y.tolist() == [1000.0] * 4
    assert read.bleu.x.tolist() == pytest.approx([2 * unit, 4 * unit])
    assert read.bleu.y.tolist() == [4.0, 8.0]
    assert np.array_equal(read.valid_loss.y, [4.0, np.nan], equal_nan=True)
    assert read.skipped.tolist() == pytest.approx([2 * unit])
    assert (read.best_bleu, read.best_step) == (4.0, 2)


def test_smoothing_takes_the_neighbours_there_are() -> None:
    curve = Curve(np.arange(6.0), np.array([0.0, 3.0, 6.0, np.nan, 4.0, 8.0]))
    assert curve.smoothed(1).y.tolist() == [1.5, 3.0, 4.5, 5.0, 6.0, 6.0]
    assert np.array_equal(curve.smoothed(0).y, curve.y, equal_nan=True)
    curve.y[0] = 1e30
    assert curve.smoothed(1).y.tolist()[2:] == [4.5, 5.0, 6.0, 6.0]


def test_runs_of_one_name_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [write(tmp_path / name, [update(1)]) for name in ("a/run", "b/run", "c/x", "c/x/run")]
    (runs[0] / "log.jsonl").rename(runs[0] / "old.jsonl")
    write(runs[0] / "run", [update(1)])
    places = [runs[0] / "old.jsonl", runs[0] / "run", runs[1] / "log.jsonl", *runs[2:]]
    assert [run.label for run in read_runs(places, "updates")] == [
        *("old.jsonl", "run/run", "b/run", "x", "x/run")
    ]
    monkeypatch.chdir(runs[1])
    for name, label in ((".", "run"), ("log.jsonl", "run"), ("../../c/x/run/..", "x")):
        assert [run.label for run in read_runs([Path(name)], "updates")] == [label]


def test_a_run_is_drawn_once(tmp_path: Path) -> None:
    run = write(tmp_path / "run", [update(1)])
    (tmp_path / "link").symlink_to(run)
    with pytest.raises(UserError, match="link is given twice"):
        read_runs([run, tmp_path / "link"], "updates")


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "log.jsonl has no updates yet"),
        ([line("skip", 0, loss="nan")], "has no updates yet"),
        ([update(1).rstrip()], "has no updates yet"),
        ([update(1), '{"kind": "tra\n', update(3)], "log.jsonl, line 2 is damaged: Invalid"),
        ([update(1), "\n"], "line 2 is damaged"),
        ([update(1), "[1]\n"], "line 2 is damaged: it is no object with a kind"),
        ([update(1), '{"kind": 3}\n'], "line 2 is damaged: it is no object with a kind"),
        ([update(1), '{"kind": "train"}\n'], "line 2 is damaged: step is None, which is no number"),
        ([line("train", -1)], "line 1 is damaged: step is -1"),
        ([update(1).replace('"step": 1', '"step": NaN')], "line 1 is damaged: step is nan"),
        ([update(1).replace('"step": 1', '"step": 1' + "0" * 400)], "line 1 is damaged: step is 1"),
        ([update(1), "[" * 100_000 + "\n"], "line 2 is damaged"),
        ([update(1), update(2, loss=None)], "is damaged: at update 2, loss is None, which is no"),
        ([update(1, grad_norm=True)], "at update 1, grad_norm is True, which is no number"),
        ([update(1), validation(1, bleu="high")], "at update 1, bleu is 'high', which is no"),
    ],
)
def test_damage_is_named(tmp_path: Path, lines: list[str], message: str) -> None:
    run = write(tmp_path / "run", lines)
    with pytest.raises(UserError) as refused:
        read_runs([run], "updates")
    assert message in str(refused.value)


def test_bytes_that_are_no_text_are_damage(tmp_path: Path) -> None:
    run = write(tmp_path / "run", [update(1)])
    (run / "log.jsonl").write_bytes(b"\xff\xfe\n")
    with pytest.raises(UserError, match=r"log.jsonl, line 1 is damaged"):
        read_runs([run], "updates")


def test_what_is_no_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"there is no log.jsonl; name the \[training\] output"):
        read_runs([tmp_path], "updates")
    with pytest.raises(UserError, match=r"absent: there is no absent;"):
        read_runs([tmp_path / "absent"], "updates")
