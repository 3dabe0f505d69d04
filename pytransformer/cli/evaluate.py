"""``pytransformer evaluate``: translate a test set and score it."""

from __future__ import annotations

import argparse
import dataclasses
import json
import time
from pathlib import Path

from tqdm import tqdm

from pytransformer.cli.output import open_output, refuse_inputs
from pytransformer.cli.search_arguments import (
    add_search_arguments,
    load_translator,
    look_ahead_of,
    search_options,
    speed,
)
from pytransformer.data.text import read_pairs
from pytransformer.decoding.evaluation import TOKENIZERS, corpus_scores
from pytransformer.errors import UserError

HELP = "translate a test set and print its sacreBLEU and chrF"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", type=Path, metavar="MODEL", help="a model directory")
    parser.add_argument("--source", type=Path, required=True, metavar="FILE", help="the test set")
    parser.add_argument(
        "--reference", type=Path, required=True, metavar="FILE", help="its translation"
    )
    parser.add_argument("--output", type=Path, metavar="FILE", help="keep the translations here")
    add_search_arguments(parser)
    parser.add_argument(
        "--tokenize",
        choices=TOKENIZERS,
        default="13a",
        help="sacreBLEU's tokenizer; 'none' for text that is tokenized (default: %(default)s)",
    )
    parser.add_argument("--lowercase", action="store_true", help="ignore case")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    options = search_options(args)
    refuse_inputs(args.output, args.source, args.reference)
    pairs = list(read_pairs(args.source, args.reference))
    if not pairs:
        raise UserError(f"{args.source} has no lines; there is nothing to evaluate")
    sources = [source for source, _ in pairs]
    references = [reference for _, reference in pairs]
    # A missing tokenizer is reported before the work, not after it.
    corpus_scores(references[:1], references[:1], args.tokenize, args.lowercase)
    translator = load_translator(args)

    start = time.perf_counter()
    stream = translator.translate_stream(
        sources, options, args.batch_size, look_ahead_of(args.batch_size)
    )
    # disable=None shows the bar on a terminal only.
    bar = tqdm(stream, total=len(sources), unit=" sentences", leave=False, disable=None)
    best = [translations[0] for translations in bar]
    seconds = time.perf_counter() - start

    texts = [translation.text for translation in best]
    if args.output is not None:
        with open_output(args.output) as output:
            output.write("".join(f"{text}\n" for text in texts).encode())
    scores = corpus_scores(texts, references, args.tokenize, args.lowercase)
    if args.json:
        rate = len(texts) / seconds
        timing = {"sentences": len(texts), "seconds": seconds, "sentences_per_second": rate}
        print(json.dumps({**dataclasses.asdict(scores), **timing}))
        return 0
    print(f"BLEU  {scores.bleu:6.2f}  {scores.bleu_signature}")
    print(f"chrF2 {scores.chrf:6.2f}  {scores.chrf_signature}")
    print(speed(len(texts), sum(len(translation.tokens) for translation in best), seconds))
    return 0
