"""What commands that translate have in common: the options of the search, and its speed."""

from __future__ import annotations

import argparse

from pytransformer.cli.device import add_device_argument, device_of
from pytransformer.cli.threads import add_threads_argument, set_threads
from pytransformer.decoding import SearchOptions, Translator
from pytransformer.decoding.search import MAX_BEAM_SIZE, MAX_LENGTH_PENALTY, MAX_MAX_LENGTH
from pytransformer.errors import UserError

# How many batches are read ahead, so that sentences of similar length go together.
_BATCHES_AHEAD = 16
_MAX_BATCH_SIZE = 65536


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
    add_device_argument(parser)
    add_threads_argument(parser)
    parser.add_argument(
        "--compute-type",
        choices=("float32", "bfloat16"),
        default="float32",
        help="dtype of the parameters and the arithmetic (default: %(default)s)",
    )


def search_options(args: argparse.Namespace, n_best: int = 1) -> SearchOptions:
    """What ``add_search_arguments`` read; UserError names the option that is out of its range."""
    for option, value, least, most in (
        ("--beam-size", args.beam_size, 1, MAX_BEAM_SIZE),
        ("--n-best", n_best, 1, args.beam_size),
        ("--length-penalty", args.length_penalty, -MAX_LENGTH_PENALTY, MAX_LENGTH_PENALTY),
        ("--max-length", args.max_length, 1, MAX_MAX_LENGTH),
        ("--batch-size", args.batch_size, 1, _MAX_BATCH_SIZE),
    ):
        if value is not None and not least <= value <= most:
            limit = f"{most}, the --beam-size" if option == "--n-best" else most
            raise UserError(f"{option} {value}: must be at least {least} and at most {limit}")
    return SearchOptions(args.beam_size, args.length_penalty, n_best, args.max_length)


def load_translator(args: argparse.Namespace) -> Translator:
    """The model of the arguments on their device, after setting the number of threads."""
    set_threads(args.threads)
    return Translator.load(args.model, args.compute_type, device_of(args))


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
