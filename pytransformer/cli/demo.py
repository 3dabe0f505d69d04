"""``pytransformer demo``: from nothing to translations in a few minutes, without a download."""

from __future__ import annotations

import argparse
import importlib.util
import math
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pytransformer.errors import UserError

HELP = "train on built-in sentences, then show translations, their score and a picture"

_LANGUAGES = {"de": "German", "ko": "Korean"}
_MINUTES = 4.0
_SHOWN = 10
_MAX_SEED = 2**64 - 1
_PICTURE_WORDS = range(6, 12)
# A verb after one of these goes to the end in German and in Korean, which makes the picture more
# than a diagonal.
_PICTURE_VERBS = {"has", "have", "will", "can", "must"}


@dataclass(frozen=True)
class _Scale:
    """How much of everything: for good translations, or only to see that all of it works."""

    train_pairs: int
    test_pairs: int
    vocab_size: int
    batch_tokens: int
    steps: int
    validation_sentences: int


_FULL = _Scale(
    train_pairs=40_000,
    test_pairs=500,
    vocab_size=2000,
    batch_tokens=1024,
    steps=2900,
    validation_sentences=100,
)
_QUICK = _Scale(
    train_pairs=2000,
    test_pairs=20,
    vocab_size=500,
    batch_tokens=1024,
    steps=20,
    validation_sentences=20,
)

_EXAMPLES = """\
examples:
  pytransformer demo                   English to German, at most 4 minutes of training
  pytransformer demo --target ko       English to Korean
  pytransformer demo --steps 5000 --minutes 30    longer, for fewer mistakes
  pytransformer demo --quick           only shows that everything works
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``demo``."""
    parser.epilog = _EXAMPLES
    parser.add_argument(
        "--target", choices=tuple(_LANGUAGES), default="de", help="language (default: %(default)s)"
    )
    parser.add_argument(
        "--output", type=Path, metavar="DIR", help="default: demo-de or demo-ko, by the language"
    )
    parser.add_argument(
        "--minutes",
        type=float,
        default=_MINUTES,
        metavar="M",
        help="stop training after M minutes at the latest (default: %(default)s)",
    )
    length = parser.add_mutually_exclusive_group()
    length.add_argument(
        "--steps",
        type=int,
        default=_FULL.steps,
        metavar="N",
        help="updates; the learning rate falls to 0 over them (default: %(default)s)",
    )
    length.add_argument(
        "--quick",
        action="store_true",
        help=f"{_QUICK.steps} updates on a small part of the data: no good translations",
    )
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="(default: %(default)s)")


def run(args: argparse.Namespace) -> int:
    """Write, prepare, train, score, show; 128 + the signal's number when one stopped it."""
    if not 0 < args.minutes < math.inf or args.steps < 1:
        raise UserError("demo: --minutes and --steps must be more than 0, --minutes no infinity")
    if not 0 <= args.seed <= _MAX_SEED:
        raise UserError(f"demo: --seed {args.seed}: must be at least 0 and at most {_MAX_SEED}")
    scale = _QUICK if args.quick else _FULL
    steps = scale.steps if args.quick else args.steps
    places = _Places(args.output or Path(f"demo-{args.target}"), args.target)
    places.clear()
    _heading(1, f"Sentences in English and {_LANGUAGES[args.target]}")
    _write_text(places, scale)
    _heading(2, "Vocabulary and data")
    _prepare(places, scale)
    length = f"{steps:,} updates, at most {args.minutes:g} minutes"
    _heading(3, f"Training, {length} (Ctrl-C stops)")
    signal = _train(places, scale, args.seed, steps, args.minutes)
    if signal is not None:
        print("Stopped. Start the demo again, perhaps shorter: pytransformer demo --minutes 1")
        return 128 + signal
    _heading(4, "Translations of sentences that the model has never seen")
    _show_translations(places)
    _show_next_steps(places)
    return 0


@dataclass(frozen=True)
class _Places:
    """Where everything lies in the demo's output."""

    output: Path
    target: Literal["de", "ko"]

    @property
    def text(self) -> Path:
        return self.output / "text"

    @property
    def data(self) -> Path:
        return self.output / "data"

    @property
    def run(self) -> Path:
        return self.output / "run"

    @property
    def model(self) -> Path:
        return self.run / "model"

    @property
    def picture(self) -> Path:
        return self.output / "attention.png"

    def sentences(self, split: str) -> tuple[Path, Path]:
        """The two text files of ``train``, ``valid`` or ``test``."""
        return self.text / f"{split}.en", self.text / f"{split}.{self.target}"

    def clear(self) -> None:
        """Make room: only what an earlier demo wrote is removed.

        Raises:
            UserError: if the directory holds something, and no demo wrote it.
        """
        marker = self.output / "demo.txt"
        if self.output.exists() and not self.output.is_dir():
            raise UserError(f"--output {self.output} is a file; name a directory")
        if self.output.is_dir() and any(self.output.iterdir()) and not marker.is_file():
            raise UserError(
                f"--output {self.output} is not empty and was not written by the demo; "
                "name another directory"
            )
        self.output.mkdir(parents=True, exist_ok=True)
        marker.write_text("`pytransformer demo` wrote this directory and may replace it.\n")
        for directory in (self.text, self.data, self.run):
            shutil.rmtree(directory, ignore_errors=True)
        self.picture.unlink(missing_ok=True)


def _heading(number: int, text: str) -> None:
    print(f"\n{number}/4  {text}\n", flush=True)


def _write_text(places: _Places, scale: _Scale) -> None:
    from pytransformer.data import corpus

    corpus.write(places.text, places.target, train=scale.train_pairs, test=scale.test_pairs)
    for split in ("train", "valid", "test"):
        lines = places.sentences(split)[0].read_bytes().count(b"\n")
        print(f"{split:<6}{lines:>7,} pairs   {places.sentences(split)[1]}")


def _prepare(places: _Places, scale: _Scale) -> None:
    from pytransformer.data.prepare import prepare

    valid_source, valid_target = places.sentences("valid")
    report = prepare(
        *places.sentences("train"),
        places.data,
        valid_source=valid_source,
        valid_target=valid_target,
        source_language="en",
        target_language=places.target,
        vocab_size=scale.vocab_size,
    )
    print(report)


def _train(places: _Places, scale: _Scale, seed: int, steps: int, minutes: float) -> int | None:
    """Train by the recipe; the number of the signal that stopped it, or None."""
    from pytransformer import recipes
    from pytransformer.training import from_tables, train

    tables = recipes.read("demo")
    tables["data"] = {"directory": str(places.data), "batch_tokens": scale.batch_tokens}
    tables["training"].update(output=str(places.run), seed=seed)
    tables["training"].update(max_steps=steps, max_minutes=minutes)
    warmup = min(tables["training"]["warmup_steps"], steps // 2)
    tables["training"]["warmup_steps"] = max(1, warmup)
    tables["validation"]["max_sentences"] = scale.validation_sentences
    return train(from_tables(tables)).signal


def _show_translations(places: _Places) -> None:
    from pytransformer.data.text import read_pairs
    from pytransformer.decoding import Translator
    from pytransformer.decoding.evaluation import corpus_scores

    pairs = list(read_pairs(*places.sentences("test")))
    sources = [source for source, _ in pairs]
    references = [reference for _, reference in pairs]
    translations = Translator.load(places.model).translate(sources)
    for index in range(0, len(pairs), -(-len(pairs) // _SHOWN)):
        print(f"  source       {sources[index]}")
        print(f"  translation  {translations[index]}")
        print(f"  reference    {references[index]}\n")
    scores = corpus_scores(translations, references)
    right = sum(ours == theirs for ours, theirs in zip(translations, references, strict=True))
    print(f"BLEU  {scores.bleu:6.2f}  {scores.bleu_signature}")
    print(f"{right:,} of {len(pairs):,} sentences are word for word the reference.")
    _draw(places, sources)


def _draw(places: _Places, sources: list[str]) -> None:
    if importlib.util.find_spec("matplotlib") is None:
        print("No picture: it needs matplotlib (pip install 'pytransformer[pictures]').")
        return
    from pytransformer.decoding.picture import draw_attention

    fitting = [
        sentence
        for sentence in sources
        if len(words := sentence.split()) in _PICTURE_WORDS and not _PICTURE_VERBS.isdisjoint(words)
    ]
    draw_attention(places.model, (fitting or sources)[0], places.picture)


def _show_next_steps(places: _Places) -> None:
    model = shlex.quote(str(places.model))
    source, reference = (shlex.quote(str(path)) for path in places.sentences("test"))
    example = places.sentences("test")[0].read_text(encoding="utf-8").partition("\n")[0]
    print(f"\nEverything lies in {places.output}:")
    print(f"  model       {places.model}")
    print(f"  training    {places.run}/log.jsonl, config.toml")
    if places.picture.is_file():
        print(f"  attention   {places.picture}")
    print("\nTry next:")
    print(f"  echo {shlex.quote(example)} | pytransformer translate {model}")
    print(f"  pytransformer evaluate {model} --source {source} --reference {reference}")
    print(f"  pytransformer attend {model} {shlex.quote(example)} --output picture.png")
    print(f"  pytransformer plot {shlex.quote(str(places.run))}")
    print("  pytransformer prepare --help          your own text")
