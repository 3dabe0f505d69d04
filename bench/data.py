"""Data at scale: how long preparing many pairs takes, how much memory that and reading them need,
and whether training waits for its batches.

The pairs are drawn: words by Zipf's law from 200,000, of two to fourteen letters, sentences of 22
on average. As a program: ``python -m bench.data --pairs 10000000 --directory DIR`` prints Markdown;
the text, the data and short runs are left in DIR, where text and data are used again.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray

from bench.machine import describe
from bench.table import Column, Table
from pytransformer.data import ParallelDataset, TokenBatches, Tokenizer
from pytransformer.data.bpe_dropout import BpeDropout
from pytransformer.data.mixture import Mixture
from pytransformer.training import log

_WORDS = 200_000
_LETTERS = np.frombuffer(b"etaoinshrdlcumwfgypbvkjxqz", np.uint8)
_MEAN_LENGTH = 22
_AT_ONCE = 100_000
_UPDATES = 200
_BATCHES = 200


@dataclass(frozen=True)
class Usage:
    """What a process took: wall time, and the most resident memory at once."""

    seconds: float
    megabytes: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print the report."""
    parser = argparse.ArgumentParser(prog="python -m bench.data", description=__doc__)
    parser.add_argument("--pairs", type=int, default=10_000_000, help="(%(default)s)")
    parser.add_argument("--directory", type=Path, required=True, help="to work in")
    parser.add_argument("--vocab-size", type=int, default=32_000, help="(%(default)s)")
    args = parser.parse_args(arguments)
    machine = describe()
    print(f"{args.pairs:,} pairs on {machine.cores} cores of {machine.processor}\n", flush=True)
    for table in tables(args.pairs, args.directory, args.vocab_size):
        print(table.markdown() + "\n", flush=True)
    return 0


def tables(pairs: int, directory: Path, vocab_size: int) -> Iterator[Table]:
    """Preparing; reading; training."""
    text = write_text(directory, pairs)
    data = directory / "data"
    if not data.exists():
        yield _preparing(pairs, text, data, vocab_size)
    yield _reading(data)
    yield _training(data, directory / "run")


def write_text(directory: Path, pairs: int) -> tuple[Path, Path]:
    """Two files of so many lines, where they are not there yet."""
    directory.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(1)
    paths = directory / f"{pairs}.source", directory / f"{pairs}.target"
    if all(path.exists() for path in paths):
        return paths
    for path in paths:
        words = _words(random)
        with path.open("wb") as file:
            for start in range(0, pairs, _AT_ONCE):
                file.write(_lines(words, min(_AT_ONCE, pairs - start), random))
    return paths


def _words(random: np.random.Generator) -> NDArray[np.object_]:
    letters = _LETTERS[np.minimum(random.geometric(0.12, (_WORDS, 14)) - 1, 25)]
    lengths = random.integers(2, 15, _WORDS)
    words = [bytes(row[:length]) for row, length in zip(letters, lengths, strict=True)]
    return np.array(words, object)


def _lines(words: NDArray[np.object_], count: int, random: np.random.Generator) -> bytes:
    lengths = np.clip(random.lognormal(np.log(_MEAN_LENGTH) - 0.18, 0.6, count), 1, 150).astype(int)
    ranks = np.minimum(random.zipf(1.3, lengths.sum()), _WORDS) - 1
    chosen = words[ranks].tolist()
    ends = np.cumsum(lengths).tolist()
    return b"".join(
        b" ".join(chosen[end - length : end]) + b"\n"
        for end, length in zip(ends, lengths.tolist(), strict=True)
    )


def _preparing(pairs: int, text: tuple[Path, Path], data: Path, vocab_size: int) -> Table:
    table = Table(
        "data",
        "`pytransformer prepare`, vocabulary and all",
        [Column("pairs", ","), Column("minutes", ".1f"), Column("pairs a second", ",.0f"),
         Column("most resident MB", ",.0f")],
    )  # fmt: skip
    arguments = ["--source", str(text[0]), "--target", str(text[1]), "--output", str(data)]
    used = _run("prepare", *arguments, "--vocab-size", str(vocab_size))
    table.rows.append([pairs, used.seconds / 60, pairs / used.seconds, used.megabytes])
    return table


def _reading(data: Path) -> Table:
    table = Table(
        "data",
        "batches of 8,192 tokens from the whole data, in one thread",
        [Column("what"), Column("milliseconds", ".2f")],
    )
    dataset = Mixture([ParallelDataset(data)])
    dropout = BpeDropout(Tokenizer.load(data), 0.1)
    for name, bpe_dropout in (("batch", None), ("batch with BPE dropout", dropout)):
        batches = TokenBatches(dataset, 8192, seed=1, bpe_dropout=bpe_dropout)
        began = time.perf_counter()
        plan = batches.plan(0)
        if bpe_dropout is None:
            seconds = time.perf_counter() - began
            table.rows.append([f"plan of a pass of {len(plan):,} batches", 1000 * seconds])
        times = []
        for position in range(min(len(plan), _BATCHES)):
            began = time.perf_counter()
            batches.batch(plan.pairs(position))
            times.append(time.perf_counter() - began)
        table.rows.append([f"{name}, median", 1000 * median(times)])
    return table


def _training(data: Path, run: Path) -> Table:
    table = Table(
        "data",
        f"{_UPDATES} updates of the preset `tiny` in bfloat16, batches of 8,192 tokens",
        [Column("what"), Column("waited for batches, % of the time", ".2f"),
         Column("longest wait, ms", ".1f"), Column("most resident MB", ",.0f")],
    )  # fmt: skip
    for name, dropout in (("plain", 0.0), ("BPE dropout 0.1", 0.1)):
        output = run.with_name(f"{run.name} {name}")
        shutil.rmtree(output, ignore_errors=True)
        settings: dict[str, str | int | float] = {
            "data.directory": str(data), "data.batch_tokens": 8192, "data.bpe_dropout": dropout,
            "model.preset": "tiny", "training.output": str(output),
            "training.max_steps": _UPDATES, "training.precision": "bfloat16",
            "validation.max_sentences": 1,
        }  # fmt: skip
        config = output.with_suffix(".toml")
        config.write_text("", encoding="utf-8")
        used = _run("train", str(config), *_set(settings))
        updates = [line for line in log.read(output / log.NAME) if line["kind"] == "train"]
        # The first update finds no batch ready: it begins with the thread that makes them.
        waits = [line["waited"] for line in updates[1:]]
        took = updates[-1]["seconds"] - updates[0]["seconds"]
        table.rows.append([name, 100 * sum(waits) / took, 1000 * max(waits), used.megabytes])
    return table


def _set(settings: dict[str, str | int | float]) -> list[str]:
    return [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]


def _run(*arguments: str) -> Usage:
    """The command, in a process of its own; what it says goes to standard error."""
    began = time.monotonic()
    command = [sys.executable, "-m", "pytransformer", *arguments]
    process = subprocess.Popen(command, stdout=sys.stderr)
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        raise SystemExit(f"{' '.join(command)} failed")
    return Usage(time.monotonic() - began, usage.ru_maxrss / 1024)


if __name__ == "__main__":
    sys.exit(main())
