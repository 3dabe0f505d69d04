"""``pytransformer plot``: draw the curves of training runs."""

from __future__ import annotations

import argparse
from pathlib import Path

from pytransformer.cli.output import refuse_inputs

HELP = "draw the curves of training runs: loss, BLEU, rate, gradient norm, speed"

_EXAMPLES = """\
examples:
  pytransformer plot run                                   to curves.png, while it lasts too
  pytransformer plot run other/run --x minutes --output compared.png
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``plot``."""
    parser.epilog = _EXAMPLES
    parser.add_argument(
        "runs",
        nargs="+",
        type=Path,
        metavar="RUN",
        help="[training] output of a run, or its log.jsonl",
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("curves.png"),
        metavar="FILE",
        help="the picture: .png, .svg or .pdf (default: %(default)s)",
    )
    parser.add_argument(
        "--x",
        choices=("updates", "epochs", "minutes"),
        default="updates",
        help="what the curves run over (default: %(default)s)",
    )


def run(args: argparse.Namespace) -> int:
    """Draw, and say where the picture is."""
    from pytransformer.training.plot import plot

    refuse_inputs(args.output, *args.runs)
    plot(args.runs, args.output, args.x)
    print(f"wrote {args.output}")
    return 0
