"""``pytransformer average``: several checkpoints of a run to one model."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

from pytransformer.cli.numbers import whole

HELP = "average checkpoints of a training run into one model"

_EXAMPLES = """\
examples:
  pytransformer average run --last 10                       to run/average
  pytransformer average run --best 5 --output averaged

The run keeps so many checkpoints with [checkpoints] keep = 10, or keep_best = 5. Score the average
on validation text with `pytransformer evaluate`: it is often better than each of them, not always.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``average``."""
    parser.epilog = _EXAMPLES
    parser.add_argument("directory", type=Path, metavar="RUN", help="[training] output of a run")
    choice = parser.add_mutually_exclusive_group(required=True)
    choice.add_argument("--last", type=whole(1), metavar="N", help="the N latest checkpoints")
    choice.add_argument(
        "--best", type=whole(1), metavar="N", help="the N best in [validation] metric"
    )
    parser.add_argument(
        "--output", type=Path, metavar="DIR", help="the model to write (default: RUN/average)"
    )


def run(args: argparse.Namespace) -> int:
    """Average, and say of what."""
    from pytransformer.training.average import average, best_steps, last_steps

    chosen = (
        last_steps(args.directory, args.last)
        if args.last
        else best_steps(args.directory, args.best)
    )
    output = args.directory / "average" if args.output is None else args.output
    average(args.directory, chosen, output)
    print(f"The average of {', '.join(f'step-{step}' for step in chosen)}:")
    print(f"  {output}")
    print("Score it on text with its translation:")
    print(f"  pytransformer evaluate {shlex.quote(str(output))} --source TEXT --reference TEXT")
    return 0
