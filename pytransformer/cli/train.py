"""``pytransformer train``: prepared data and a configuration file to a model."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pytransformer.errors import UserError

if TYPE_CHECKING:
    from pytransformer.training.config import TrainingConfig

HELP = "train a model from prepared data"

_EXAMPLES = """\
examples:
  pytransformer train --print-config > train.toml     every option with its default and meaning
  pytransformer train train.toml
  pytransformer train train.toml --set training.max_steps=5000 --set model.preset=small
  pytransformer train train.toml --resume             after Ctrl-C, a crash, or with more steps

[training] output then holds `model` (the best one, for `pytransformer translate`), checkpoints,
`config.toml` and `log.jsonl`. Ctrl-C finishes the update, saves, and says how to go on.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``train``."""
    parser.epilog = _EXAMPLES
    parser.add_argument("config", nargs="?", type=Path, help="configuration file (TOML)")
    parser.add_argument(
        "--resume", action="store_true", help="continue from the output's last checkpoint"
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="TABLE.KEY=VALUE",
        help="change one option of the file; may be repeated",
    )
    parser.add_argument(
        "--print-config",
        action="store_true",
        help="print every option, as the file sets it or with defaults and meanings, and stop",
    )


def run(args: argparse.Namespace) -> int:
    """Train; 0 at the end, 128 + the signal's number when one stopped it."""
    from pytransformer.training import config, toml

    if args.config is None:
        if not args.print_config:
            raise UserError("train: give a configuration file; --print-config writes one to edit")
        sys.stdout.write(toml.documented_defaults())
        return 0
    chosen = config.load(args.config, args.set)
    if args.print_config:
        sys.stdout.write(toml.dumps(chosen))
        return 0
    return _train(args, chosen)


def _train(args: argparse.Namespace, chosen: TrainingConfig) -> int:
    from pytransformer.training.errors import OutputError
    from pytransformer.training.run import train

    continuing = _continuing_command(args)
    try:
        outcome = train(chosen, resume=args.resume)
    except OutputError as error:
        remedy = "make room" if error.disk_full else "repair that"
        raise UserError(f"{error}; {remedy}, then go on with: {continuing}") from error
    state, output = outcome.state, chosen.training.output
    if outcome.signal is not None:
        print(f"Stopped at step {state.step:,}; saved in {output}/last. Go on with:")
        print(f"  {continuing}")
        return 128 + outcome.signal
    print(f"Done: {state.step:,} updates. The best model (step {state.best_step}):")
    print(f"  {outcome.model_directory}")
    print("Translate with it:")
    print(f"  pytransformer translate {shlex.quote(str(outcome.model_directory))} < TEXT")
    return 0


def _continuing_command(args: argparse.Namespace) -> str:
    changes = [word for change in args.set for word in ("--set", change)]
    return shlex.join(["pytransformer", "train", str(args.config), *changes, "--resume"])
