"""A picture of the curves of one or several runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytransformer.errors import UserError
from pytransformer.pictures import require_matplotlib, save
from pytransformer.training.curves import Axis, Curve, Run, read_runs

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Told apart by those who see few colours too: Okabe and Ito's (2008), without their yellow, which
# is too light for lines. More runs than colours take other dashes.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_DASHES = ("-", "--", ":")
_MOST = len(_COLOURS) * len(_DASHES)

# A smoothed curve shows the mean of so large a part of the longest run on each side, the same for
# all runs so that they can be compared, but at most so much of a short one.
_REACH = 1 / 120
_MOST_OF_A_RUN = 1 / 10

# Single updates are drawn behind the smoothed curve of so many runs; of more they only hide it.
_RUNS_WITH_POINTS = 2
_MARKS = 25  # at most, on one curve
_GREY = "0.35"


def plot(paths: Sequence[Path], output: Path, axis: Axis = "updates") -> None:
    """Draw the logs of runs: loss, BLEU, learning rate, gradient norm, tokens per second.

    Args:
        paths: directories of runs, or their logs.
        output: the picture; its suffix says the format (``.png``, ``.svg``, ``.pdf``).
        axis: what the curves run over.

    Raises:
        UserError: if matplotlib is missing or does not write this format, as ``read_runs``, if
            there are more runs than can be told apart, or the disk is full.
    """
    require_matplotlib()
    if len(paths) > _MOST:
        raise UserError(f"{len(paths)} runs cannot be told apart in one picture; draw {_MOST}")
    runs = read_runs(paths, axis)
    import matplotlib

    from pytransformer.pictures.fonts import families_for

    families = families_for("".join(run.label for run in runs))
    # A dollar sign in a name begins no formula.
    with matplotlib.rc_context({"font.family": families, "text.parse_math": False}):
        save(draw(runs, axis), output)


def draw(runs: Sequence[Run], axis: Axis) -> Figure:
    """The figure that ``plot`` writes: five panels over one axis, and the legend in the sixth."""
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    layout = ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.1)
    figure = Figure(figsize=(11, 9), dpi=120, layout=layout)
    panels = figure.subplots(3, 2, sharex=True)
    (loss, bleu), (rate, norm), (speed, legend) = panels
    reach = int(_REACH * max(len(run.loss.y) for run in runs))
    points = len(runs) <= _RUNS_WITH_POINTS
    for run, style in zip(runs, _styles(), strict=False):
        _draw_training(loss, run.loss, style, reach, points)
        _draw_validation(loss, run.valid_loss, style)
        _draw_skipped(loss, run, style)
        _draw_validation(bleu, run.bleu, style)
        _draw_training(rate, run.learning_rate, style, reach=0, points=False)
        _draw_training(norm, run.grad_norm, style, reach, points)
        _draw_training(speed, run.tokens_per_second, style, reach, points)
    titles = (
        "loss (in training with label smoothing)",
        "BLEU of validation",
        "learning rate",
        "gradient norm",
        "tokens per second",
    )
    for panel, title in zip((loss, bleu, rate, norm, speed), titles, strict=True):
        _dress(panel, title)
    _scale(bleu, rate, norm, speed)
    if not any(len(run.bleu.y) for run in runs):
        _say(bleu, "no validation yet")
    for lowest in (norm, speed):
        lowest.tick_params(labelbottom=True)
        lowest.set_xlabel(axis)
    legend.axis("off")
    # The legend takes no part in the layout: many runs or long names make the picture larger, to
    # the right and below, where nothing is, and no panel smaller.
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    _draw_legend(legend, runs)
    return figure


def _styles() -> Iterator[dict[str, Any]]:
    for dashes in _DASHES:
        for colour in _COLOURS:
            yield {"color": colour, "linestyle": dashes}


def _draw_training(
    panel: Axes, curve: Curve, style: dict[str, Any], reach: int, points: bool
) -> None:
    if points:
        panel.plot(curve.x, curve.y, color=style["color"], linewidth=0.6, alpha=0.25)
    smoothed = curve.smoothed(min(reach, int(_MOST_OF_A_RUN * len(curve.y))))
    # A line through one point alone is none.
    marker = "." if len(curve.x) == 1 else ""
    panel.plot(smoothed.x, smoothed.y, linewidth=1.6, marker=marker, **style)


def _draw_validation(panel: Axes, curve: Curve, style: dict[str, Any]) -> None:
    if not len(curve.x):
        return  # an empty line that is not clipped would spoil the layout
    marks: dict[str, Any] = {
        "marker": "o",
        "markersize": 4.5,
        "markeredgecolor": "white",
        "markeredgewidth": 0.6,
    }
    every = max(1, -(-len(curve.x) // _MARKS))
    panel.plot(
        curve.x, curve.y, linewidth=1.0, markevery=every, zorder=3, clip_on=False, **style, **marks
    )


def _draw_skipped(panel: Axes, run: Run, style: dict[str, Any]) -> None:
    at_the_bottom = panel.get_xaxis_transform()
    heights = [0.03] * len(run.skipped)
    panel.scatter(
        run.skipped, heights, marker="x", color=style["color"], s=24, transform=at_the_bottom
    )


def _dress(panel: Axes, title: str) -> None:
    from matplotlib.ticker import StrMethodFormatter

    panel.set_title(title, loc="left", fontsize="medium", fontweight="bold")
    panel.grid(color="0.92", linewidth=0.8)
    panel.set_axisbelow(True)
    panel.spines[["top", "right"]].set_visible(False)
    panel.spines[["left", "bottom"]].set_color("0.7")
    panel.tick_params(which="both", color="0.7", labelcolor=_GREY)
    panel.xaxis.set_major_formatter(StrMethodFormatter("{x:,g}"))
    panel.margins(x=0.02)


def _scale(bleu: Axes, rate: Axes, norm: Axes, speed: Axes) -> None:
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    norm.set_yscale("log")
    low, high = norm.get_ylim()
    if high < 10 * low:
        norm.set_yscale("linear")
    else:
        few = high < 1000 * low
        norm.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if few else (1.0,)))
        norm.yaxis.set_minor_formatter(NullFormatter())
    norm.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    rate.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    speed.yaxis.set_major_formatter(StrMethodFormatter("{x:,g}"))
    for panel in (bleu, rate, speed):
        panel.set_ylim(bottom=0)


def _say(panel: Axes, text: str) -> None:
    place: dict[str, Any] = {"ha": "center", "va": "center", "transform": panel.transAxes}
    panel.text(0.5, 0.5, text, color=_GREY, backgroundcolor="white", **place)
    panel.set_yticks([])


def _draw_legend(panel: Axes, runs: Sequence[Run]) -> None:
    from matplotlib.lines import Line2D

    entries = [
        Line2D([], [], linewidth=1.6, label=_described(run), **style)
        for run, style in zip(runs, _styles(), strict=False)
    ]
    entries += [
        Line2D([], [], color=_GREY, linewidth=1.6, label="training: running mean"),
        Line2D([], [], color=_GREY, linewidth=1.0, marker="o", label="validation"),
    ]
    if any(len(run.skipped) for run in runs):
        entries.append(Line2D([], [], color=_GREY, linestyle="", marker="x", label="skipped"))
    panel.legend(
        handles=entries, loc="upper left", bbox_to_anchor=(0, 1), frameon=False, labelspacing=0.7
    )


def _described(run: Run) -> str:
    if run.best_bleu is None:
        return run.label
    return f"{run.label}: BLEU {run.best_bleu:.1f} at its best (update {run.best_step:,})"
