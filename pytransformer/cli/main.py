"""The command ``pytransformer``: finds the command's module, runs it, words its errors.

A command is the module of its name in this package: ``HELP`` is its line in the list of commands,
``add_arguments(parser)`` declares its arguments (and may set ``parser.epilog``), ``run(args)`` does
the work and returns the exit status.
"""

from __future__ import annotations

import argparse
import importlib
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from pytransformer.errors import UserError
from pytransformer.version import __version__

COMMANDS = (
    "demo",
    "prepare",
    "train",
    "plot",
    "average",
    "translate",
    "evaluate",
    "attend",
    "doctor",
    "bench",
)

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

# What torch and the C++ library say, in a RuntimeError.
_OUT_OF_MEMORY = ("can't allocate memory", "out of memory", "bad_alloc")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: those after the program's name; None takes the process's own.

    Returns:
        The exit status: 0, 1 for a mistake in what was given or a refusal of the system, 130 after
        Ctrl-C, 141 when the reader of the output went away; argparse ends the process with 2 for
        wrong usage.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    _open_missing_streams()
    try:
        args = build_parser(arguments).parse_args(arguments)
        status: int = args.run(args)
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        _discard_output()
        return _BROKEN_PIPE
    except Exception as error:
        sentence = _sentence(error)
        if sentence is None:
            raise
        try:
            sys.stdout.flush()
        except OSError:
            _discard_output()
        print(f"pytransformer: error: {sentence}", file=sys.stderr)
        return 1


def _sentence(error: Exception) -> str | None:
    """What to tell the user; None for a mistake of the program, which is not to be hidden."""
    text = str(error)
    if isinstance(error, UserError):
        return text
    if isinstance(error, OSError):
        where = "standard input or output" if error.filename is None else error.filename
        return f"{where}: {error.strerror or text}"
    # Those that the import system raises have a name; ours, of the backend, are sentences.
    if isinstance(error, ImportError) and error.name is None:
        return text
    if isinstance(error, RuntimeError) and text.startswith("instruction set "):
        return f"PYTRANSFORMER_ISA: {text}"
    if isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and any(sign in text for sign in _OUT_OF_MEMORY)
    ):
        size = re.search(r"\d+ bytes", text)
        asked = f" for {size[0]}" if size else ""
        return f"not enough memory{asked}; take smaller batches, shorter lengths or a smaller model"
    return None


def _open_missing_streams() -> None:
    """A process may be started without standard output or error: what goes there goes nowhere."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115


def _discard_output() -> None:
    """Python flushes standard output once more at exit; that must not fail again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


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
