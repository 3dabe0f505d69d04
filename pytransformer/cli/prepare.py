"""``pytransformer prepare``: raw parallel text to a directory for training."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import get_args

from pytransformer.cli.numbers import whole
from pytransformer.cli.threads import MAX_THREADS
from pytransformer.data.prepare import Report, prepare
from pytransformer.data.vocabulary import MOST_PIECES, ModelType

HELP = "learn a vocabulary from parallel text and turn the text into data for training"

_EPILOG = """\
example:
  pytransformer prepare --source train.en.gz --target train.de.gz \\
      --source-language en --target-language de --output data

Stopped by Ctrl-C, or killed, the same command goes on where it was.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.epilog = _EPILOG
    text = parser.add_argument_group("text", "UTF-8, one sentence per line, plain or .gz")
    text.add_argument(
        "--source", type=Path, metavar="FILE", required=True, help="sentences to translate"
    )
    text.add_argument(
        "--target", type=Path, metavar="FILE", required=True, help="their translations"
    )
    text.add_argument("--valid-source", type=Path, metavar="FILE", help="sentences to validate on")
    text.add_argument("--valid-target", type=Path, metavar="FILE", help="their translations")
    text.add_argument(
        "--valid-lines",
        type=whole(1),
        default=1000,
        metavar="N",
        help="without validation text, hold out the last N pairs, at most 1 in 20 (%(default)s)",
    )
    text.add_argument("--source-language", default="", metavar="CODE", help="such as en")
    text.add_argument("--target-language", default="", metavar="CODE", help="such as de")
    text.add_argument(
        "--max-length",
        type=whole(2),
        default=256,
        metavar="TOKENS",
        help="drop pairs with a side longer than this (%(default)s)",
    )

    vocabulary = parser.add_argument_group("vocabulary")
    choice = vocabulary.add_mutually_exclusive_group()
    choice.add_argument(
        "--vocab-size",
        type=whole(3, MOST_PIECES),
        default=8000,
        metavar="PIECES",
        help="pieces to learn, shared by both languages (%(default)s)",
    )
    choice.add_argument(
        "--tokenizer",
        type=Path,
        metavar="DIR",
        help="use the vocabulary of a model or of prepared data instead of learning one",
    )
    vocabulary.add_argument(
        "--model-type", choices=get_args(ModelType), default="bpe", help="(%(default)s)"
    )
    vocabulary.add_argument(
        "--lowercase", action="store_true", help="learn a vocabulary that folds upper case"
    )

    output = parser.add_argument_group("output")
    output.add_argument("--output", type=Path, required=True, metavar="DIR", help="to write to")
    output.add_argument(
        "--overwrite", action="store_true", help="replace what an earlier run wrote there"
    )
    output.add_argument(
        "--threads",
        type=whole(1, MAX_THREADS),
        default=0,
        metavar="N",
        help="that turn text into ids (default: one for each core)",
    )


def run(args: argparse.Namespace) -> int:
    """Prepare and print the report."""
    try:
        report = _prepare(args)
    except KeyboardInterrupt:
        print("interrupted; the same command goes on where it stopped", file=sys.stderr)
        raise
    print(report)
    return 0


def _prepare(args: argparse.Namespace) -> Report:
    return prepare(
        args.source,
        args.target,
        args.output,
        valid_source=args.valid_source,
        valid_target=args.valid_target,
        source_language=args.source_language,
        target_language=args.target_language,
        vocab_size=args.vocab_size,
        model_type=args.model_type,
        max_length=args.max_length,
        valid_lines=args.valid_lines,
        tokenizer=args.tokenizer,
        lowercase=args.lowercase,
        overwrite=args.overwrite,
        threads=args.threads,
        progress=sys.stderr.isatty(),
    )
