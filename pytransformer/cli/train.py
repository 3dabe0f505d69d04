"""``pytransformer train``: prepared data and a configuration file or a recipe to a model."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

from pytransformer import recipes
from pytransformer.errors import UserError

if TYPE_CHECKING:
    from pytransformer.training.config import TrainingConfig
    from pytransformer.training.run import Outcome

HELP = "train a model from prepared data"

_EXAMPLES = """\
examples:
  pytransformer train --print-config > train.toml     every option with its default and meaning
  pytransformer train train.toml
  pytransformer train train.toml --set training.max_steps=5000 --set model.preset=small
  pytransformer train train.toml --resume             after Ctrl-C, a crash, or with more steps
  pytransformer train --list                          the recipes: whole set-ups by name
  pytransformer train --list multi30k-en-de           one of them: its text, commands and score
  pytransformer train multi30k-en-de --data data --output run

[training] output then holds `model` (the best one, for `pytransformer translate`), checkpoints,
`config.toml` and `log.jsonl`, which `pytransformer plot` draws at any time and which
`--set training.tensorboard=true` writes for TensorBoard too. Ctrl-C finishes the update, saves, and
says how to go on.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``train``."""
    parser.epilog = _EXAMPLES
    parser.add_argument(
        "config", nargs="?", metavar="CONFIG", help="configuration file (TOML), or a recipe's name"
    )
    parser.add_argument("--data", metavar="DIR", help="short for --set data.directory=DIR")
    parser.add_argument("--output", metavar="DIR", help="short for --set training.output=DIR")
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
    parser.add_argument(
        "--list", action="store_true", help="describe the recipes, or the one named, and stop"
    )


def run(args: argparse.Namespace) -> int:
    """Train; 0 at the end, 128 + the signal's number when one stopped it."""
    from pytransformer.training import toml

    if args.list:
        print(_list() if args.config is None else _describe(args.config))
        return 0
    if args.config is None:
        if not args.print_config:
            raise UserError(
                "train: give a configuration file (--print-config writes one to edit) or a recipe "
                "(--list)"
            )
        sys.stdout.write(toml.documented_defaults())
        return 0
    chosen = _configuration(args)
    if args.print_config:
        sys.stdout.write(toml.dumps(chosen))
        return 0
    return _train(args, chosen)


def _list() -> str:
    names = recipes.names()
    width = max(map(len, names))
    lines = [f"{name:{width}}  {recipes.about(name).summary}" for name in names]
    return "\n".join([*lines, "", "`pytransformer train --list NAME` shows one of them."])


def _describe(name: str) -> str:
    _refuse_unknown(name)
    about = recipes.about(name)
    parts = {"text": about.text, "score": about.score}
    told = [
        textwrap.fill(f"{part:6} {text}", 100, subsequent_indent=" " * 7)
        for part, text in parts.items()
    ]
    return "\n".join([f"{name}: {about.summary}", *told, *(f"  {line}" for line in about.commands)])


def _refuse_unknown(name: str) -> None:
    if name not in recipes.names():
        known = ", ".join(recipes.names())
        raise UserError(f"{name} is neither a file nor a recipe; the recipes are {known}")


def _configuration(args: argparse.Namespace) -> TrainingConfig:
    """Of the file, or of the recipe where no file has that name."""
    from pytransformer.training import config

    changes = _changes(args)
    if Path(args.config).exists() or Path(args.config).suffix == ".toml":
        return config.load(Path(args.config), changes)
    _refuse_unknown(args.config)
    return config.change(recipes.read(args.config), changes, args.config)


def _changes(args: argparse.Namespace) -> list[str]:
    """Of ``--data`` and ``--output``, which are paths whatever they look like, and ``--set``."""
    directories = (("data.directory", args.data), ("training.output", args.output))
    named = [f"{key}={json.dumps(path)}" for key, path in directories if path is not None]
    return [*named, *args.set]


def _train(args: argparse.Namespace, chosen: TrainingConfig) -> int:
    from pytransformer.training.errors import OutputError
    from pytransformer.training.run import train

    continuing = _continuing_command(args)
    try:
        outcome = train(chosen, resume=args.resume)
    except OutputError as error:
        remedy = "make room" if error.disk_full else "repair that"
        raise UserError(f"{error}; {remedy}, then go on with: {continuing}") from error
    if outcome.first:
        _report(outcome, chosen.training.output, continuing)
    return 0 if outcome.signal is None else 128 + outcome.signal


def _report(outcome: Outcome, output: str, continuing: str) -> None:
    state = outcome.state
    if outcome.signal is not None:
        print(f"Stopped at step {state.step:,}; saved in {output}/last. Go on with:")
        print(f"  {continuing}")
        return
    print(f"Done: {state.step:,} updates, up to {' and '.join(outcome.reached)}.")
    if state.skipped:
        print(f"Skipped, as loss or gradient was not finite: {state.skipped:,} updates.")
    print(f"The best model (step {state.best_step}):")
    print(f"  {outcome.model_directory}")
    print("Translate with it:")
    print(f"  pytransformer translate {shlex.quote(str(outcome.model_directory))} < TEXT")


def _continuing_command(args: argparse.Namespace) -> str:
    places = (("--data", args.data), ("--output", args.output))
    options = [word for name, path in places if path is not None for word in (name, path)]
    options += [word for change in args.set for word in ("--set", change)]
    return shlex.join(["pytransformer", "train", args.config, *options, "--resume"])
