"""``pytransformer translate``: one line in, one line out."""

from __future__ import annotations

import argparse
import codecs
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from pytransformer.cli.output import open_output, refuse_inputs
from pytransformer.cli.search_arguments import (
    add_search_arguments,
    load_translator,
    look_ahead_of,
    search_options,
    speed,
)
from pytransformer.data.text import read_lines
from pytransformer.decoding import Translation
from pytransformer.errors import UserError

HELP = "translate standard input or a file, line by line"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", type=Path, metavar="MODEL", help="a model directory")
    parser.add_argument(
        "input",
        type=Path,
        nargs="?",
        metavar="INPUT",
        help="UTF-8 text, one sentence per line, plain or .gz; without it, standard input",
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="FILE",
        help="write here instead of to standard output; the file appears, or replaces an old one, "
        "when all is translated",
    )
    add_search_arguments(parser)
    parser.add_argument(
        "--n-best",
        type=int,
        default=1,
        metavar="N",
        help="with N > 1: write the N best translations of each line, on lines of their own that "
        "begin with the number of the input line and a tab (default: %(default)s)",
    )
    parser.add_argument(
        "--scores", action="store_true", help="write its score and a tab before each translation"
    )
    parser.add_argument("--quiet", action="store_true", help="no summary of the speed at the end")


def run(args: argparse.Namespace) -> int:
    options = search_options(args, args.n_best)
    refuse_inputs(args.output, args.input)
    if args.input is None and sys.stdin is None:
        raise UserError("standard input is closed; name a file to translate")
    translator = load_translator(args)
    interactive = args.input is None and sys.stdin.isatty()
    look_ahead = 1 if interactive else look_ahead_of(args.batch_size)
    lines = _standard_input() if args.input is None else read_lines(args.input)
    stream = translator.translate_stream(lines, options, args.batch_size, look_ahead)
    sentences = tokens = 0
    start = time.perf_counter()
    with open_output(args.output) as output:
        for sentences, translations in enumerate(stream, start=1):
            tokens += len(translations[0].tokens)
            output.write(_format(sentences, translations, args).encode())
            output.flush()
    if not args.quiet and not interactive:
        print(speed(sentences, tokens, time.perf_counter() - start), file=sys.stderr)
    return 0


def _format(number: int, translations: list[Translation], args: argparse.Namespace) -> str:
    """The output lines of input line ``number``."""
    lines = []
    for translation in translations:
        fields = [str(number)] if args.n_best > 1 else []
        fields += [f"{translation.score:.6f}"] if args.scores else []
        lines.append("\t".join([*fields, translation.text]) + "\n")
    return "".join(lines)


def _standard_input() -> Iterator[str]:
    for number, line in enumerate(sys.stdin.buffer, start=1):
        line = line.removeprefix(codecs.BOM_UTF8) if number == 1 else line
        try:
            yield line.removesuffix(b"\n").removesuffix(b"\r").decode("utf-8")
        except UnicodeDecodeError as error:
            raise UserError(
                f"standard input, line {number}: not valid UTF-8; convert it to UTF-8"
            ) from error
