"""The command ``pytransformer``: finds the command's module, runs it, words its errors.

A command is the module of its name in this package: ``HELP`` is its line in the list of commands,
``add_arguments(parser)`` declares its arguments (and may set ``parser.epilog``), ``run(args)`` does
the work and returns the exit status.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from types import ModuleType

from pytransformer.errors import UserError
from pytransformer.version import __version__

COMMANDS = ("demo", "prepare", "train", "translate", "evaluate", "attend", "doctor")

_EXAMPLES = """\
everything at once, on built-in sentences:
  pytransformer demo

from your own parallel text to translations:
  pytransformer prepare --source text.en --target text.de --output data
  pytransformer train --print-config > train.toml     then fill in the two directories
  pytransformer train train.toml
  pytransformer translate RUN/model < new.en > new.de

`pytransformer COMMAND --help` explains a command.
"""

# What a shell reports for a process that the signal ended: 128 + its number.
_INTERRUPTED = 130
_BROKEN_PIPE = 141


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: those after the program's name; None takes the process's own.

    Returns:
        The exit status: 0, 1 for a mistake in what was given, 130 after Ctrl-C, 141 when the reader
        of the output went away; argparse ends the process with 2 for wrong usage.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        args = build_parser(arguments).parse_args(arguments)
        status: int = args.run(args)
        sys.stdout.flush()
        return status
    except UserError as error:
        print(f"pytransformer: error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        # Python flushes standard output once more at exit; that must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _BROKEN_PIPE


def build_parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    """The parser for ``arguments``: only the module of the command they name is imported."""
    parser = argparse.ArgumentParser(
        prog="pytransformer",
        usage="pytransformer [-h] [--version] COMMAND ...",
        description="Train Transformers on parallel text and translate with them.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    named = next((argument for argument in arguments if not argument.startswith("-")), None)
    # The long metavar widens the column of the names: argparse forgets that they are indented.
    commands = parser.add_subparsers(
        title="commands", prog="pytransformer", metavar="COMMAND ...", required=True
    )
    for name in (named,) if named in COMMANDS else COMMANDS:
        _add_command(commands, name, importlib.import_module(f"pytransformer.cli.{name}"))
    return parser


def _add_command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, module: ModuleType
) -> None:
    parser = commands.add_parser(
        name,
        help=module.HELP,
        description=f"{module.HELP[0].upper()}{module.HELP[1:]}.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    module.add_arguments(parser)
    parser.set_defaults(run=module.run)
