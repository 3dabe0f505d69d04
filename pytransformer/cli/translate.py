"""``pytransformer translate``: one line in, one line out."""

from __future__ import annotations

import argparse
import codecs
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import torch

from pytransformer.data.text import read_lines
from pytransformer.decoding import SearchOptions, Translation, Translator
from pytransformer.errors import UserError

HELP = "translate standard input or a file, line by line"

# How many batches are read ahead, so that sentences of similar length go together.
_BATCHES_AHEAD = 16


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
        "--output", type=Path, metavar="FILE", help="write here instead of to standard output"
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


def add_search_arguments(parser: argparse.ArgumentParser) -> None:
    """The options that every command which translates has."""
    defaults = SearchOptions()
    parser.add_argument(
        "--beam-size",
        type=int,
        default=defaults.beam_size,
        metavar="N",
        help="hypotheses followed at a time; 1 is greedy search (default: %(default)s)",
    )
    parser.add_argument(
        "--length-penalty",
        type=float,
        default=defaults.length_penalty,
        metavar="X",
        help="more favours longer translations, 0 is neutral (default: %(default)s)",
    )
    parser.add_argument(
        "--max-length",
        type=int,
        metavar="N",
        help="the most tokens of a translation (default: 50 more than its source has)",
    )
    parser.add_argument(
        "--batch-size",
        type=int,
        default=64,
        metavar="N",
        help="the most sentences translated at a time; does not change the result; 1 answers "
        "each line before the next is read, as on a terminal (default: %(default)s)",
    )
    parser.add_argument(
        "--threads", type=int, metavar="N", help="CPU threads (default: torch's choice)"
    )
    parser.add_argument(
        "--compute-type",
        choices=("float32", "bfloat16"),
        default="float32",
        help="dtype of the parameters and the arithmetic (default: %(default)s)",
    )


def search_options(args: argparse.Namespace, num_hypotheses: int = 1) -> SearchOptions:
    """What ``add_search_arguments`` read; UserError names the value that is out of its range."""
    if args.batch_size < 1:
        raise UserError(f"--batch-size {args.batch_size}: must be at least 1")
    if args.threads is not None and args.threads < 1:
        raise UserError(f"--threads {args.threads}: must be at least 1")
    try:
        return SearchOptions(args.beam_size, args.length_penalty, num_hypotheses, args.max_length)
    except ValueError as error:
        raise UserError(str(error)) from error


def load_translator(args: argparse.Namespace) -> Translator:
    """The model of the arguments, after setting the number of threads."""
    if args.threads is not None:
        torch.set_num_threads(args.threads)
    return Translator.load(args.model, args.compute_type)


def run(args: argparse.Namespace) -> int:
    options = search_options(args, args.n_best)
    translator = load_translator(args)
    interactive = args.input is None and sys.stdin.isatty()
    look_ahead = 1 if interactive else look_ahead_of(args.batch_size)
    lines = _standard_input() if args.input is None else read_lines(args.input)
    stream = translator.translate_stream(lines, options, args.batch_size, look_ahead)
    sentences = tokens = 0
    start = time.perf_counter()
    with _output(args.output) as output:
        for sentences, translations in enumerate(stream, start=1):
            tokens += len(translations[0].tokens)
            output.write(_format(sentences, translations, args).encode())
            output.flush()
    if not args.quiet and not interactive:
        print(speed(sentences, tokens, time.perf_counter() - start), file=sys.stderr)
    return 0


def look_ahead_of(batch_size: int) -> int:
    """How many lines to read before translating them."""
    return 1 if batch_size == 1 else _BATCHES_AHEAD * batch_size


def speed(sentences: int, tokens: int, seconds: float) -> str:
    """One line: how much in which time; ``tokens`` are those of the translations."""
    rate = 1.0 / max(seconds, 1e-9)
    return (
        f"{sentences} sentences in {seconds:.1f} s: {sentences * rate:.1f} sentences/s, "
        f"{tokens * rate:.0f} target tokens/s"
    )


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


@contextmanager
def _output(path: Path | None) -> Iterator[IO[bytes]]:
    """Standard output, or a file that is written line by line."""
    if path is None:
        yield sys.stdout.buffer
        return
    try:
        with path.open("wb") as file:
            yield file
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}") from error
