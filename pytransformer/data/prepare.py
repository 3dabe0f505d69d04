"""Raw parallel text to a directory of prepared data (see ``layout``)."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import sentencepiece
from tqdm import tqdm

from pytransformer import files
from pytransformer.data.encoding import SplitCounts
from pytransformer.data.layout import (
    FORMAT,
    FORMAT_VERSION,
    INFO,
    SIDES,
    SPLITS,
    check_tokenizer,
    data_files,
    read_info,
    token_stem,
)
from pytransformer.data.ragged import length_file
from pytransformer.data.raw import RawSplit, find_splits, sample
from pytransformer.data.tokenizer import Tokenizer
from pytransformer.data.unfinished import Unfinished, unfinished
from pytransformer.data.vocabulary import ModelType, train_tokenizer
from pytransformer.data.write_split import write_split
from pytransformer.errors import UserError
from pytransformer.version import __version__


@dataclass(frozen=True)
class Report:
    """What ``prepare`` did; ``str`` makes a small table of it.

    Attributes:
        directory: where the data lies.
        vocab_size: ids, ``<pad>`` included.
        train, valid: counts.
        held_out: how many pairs at the end of the training text became the validation text.
    """

    directory: Path
    vocab_size: int
    train: SplitCounts
    valid: SplitCounts
    held_out: int

    def __str__(self) -> str:
        names = ("pairs", "source tokens", "target tokens", "dropped: empty", "dropped: too long")
        columns = zip(asdict(self.train).values(), asdict(self.valid).values(), strict=True)
        lines = [f"{'':<18}{'train':>12}{'valid':>12}"]
        for name, (train, valid) in zip(names, columns, strict=True):
            lines.append(f"{name:<18}{train:>12,}{valid:>12,}")
        lines.append(f"vocabulary: {self.vocab_size:,} ids, <pad> included")
        if self.held_out:
            lines.append(f"validation: the last {self.held_out:,} pairs, held out from training")
        lines.append(f"written to {self.directory}")
        return "\n".join(lines)


@dataclass(frozen=True)
class _Learning:
    """What ``train_tokenizer`` is told."""

    vocab_size: int
    model_type: ModelType
    lowercase: bool
    source_language: str
    target_language: str


def prepare(
    source: str | Path,
    target: str | Path,
    output: str | Path,
    *,
    valid_source: str | Path | None = None,
    valid_target: str | Path | None = None,
    source_language: str = "",
    target_language: str = "",
    vocab_size: int = 8000,
    model_type: ModelType = "bpe",
    max_length: int = 256,
    valid_lines: int = 1000,
    tokenizer: str | Path | Tokenizer | None = None,
    lowercase: bool = False,
    overwrite: bool = False,
    threads: int = 0,
    progress: bool = False,
) -> Report:
    """Learn a tokenizer, turn parallel text into ids, and write a directory for training.

    The same text and options give the same files. An interrupted or killed preparation leaves
    ``OUTPUT.unfinished``, with which the same call goes on where it stopped.

    Args:
        source: sentences, plain or ``.gz``, UTF-8, one per line.
        target: their translations, line by line.
        output: the directory to write; absent or empty, or with ``overwrite`` an earlier output.
        valid_source: sentences for validation; without them the last pairs are held out.
        valid_target: their translations.
        source_language: a code to keep with the data, such as ``en``.
        target_language: likewise.
        vocab_size: of the tokenizer to learn, see ``train_tokenizer``.
        model_type: likewise.
        max_length: pairs are dropped where a side has more tokens than this, ``</s>`` included.
        valid_lines: how many pairs to hold out; never more than a twentieth, but at least one.
        tokenizer: use this one, or the one in this directory, instead of learning one.
        lowercase: whether the tokenizer to learn folds upper and lower case.
        overwrite: replace what an earlier run wrote to ``output``.
        threads: how many encode; 0: one for each core that the process may use.
        progress: show progress bars on standard error.

    Raises:
        UserError: for everything that can be wrong with the files; ``output`` is then as it was.
        WriteError: if the system refuses, as when the disk is full; likewise.
        ValueError: if an option is out of range.
    """
    output = Path(output)
    least_values = {"max_length": (max_length, 2), "valid_lines": (valid_lines, 1)}
    for name, (value, least) in {**least_values, "threads": (threads, 0)}.items():
        if value < least:
            raise ValueError(f"{name} = {value}: must be at least {least}")
    if (valid_source is None) != (valid_target is None):
        raise UserError("--valid-source and --valid-target belong together; give both or neither")
    if tokenizer is not None and lowercase:
        raise UserError("--lowercase is for a vocabulary to learn; leave it out with --tokenizer")
    _check_output(output, overwrite)

    raw = [Path(path) for path in (source, target, valid_source, valid_target) if path is not None]
    for path in raw:
        if path.exists() and not path.is_file():
            raise UserError(f"{path} is no file that can be read twice; write the text to one")
    given = None if tokenizer is None else _given_tokenizer(tokenizer)
    learning = _Learning(vocab_size, model_type, lowercase, source_language, target_language)
    task = {
        "raw": [{"name": path.name, **_describe(path)} for path in raw],
        "tokenizer": given.fingerprint() if given else asdict(learning),
        "max_length": max_length,
        "valid_lines": valid_lines,
        "versions": _versions(),
    }
    with unfinished(output, task, [*data_files(), INFO, *_length_files()]) as work:
        splits = find_splits(raw, valid_lines, work, progress)
        tokenizer = _tokenizer(given, learning, splits[0], work, progress)
        train, valid = (
            write_split(work, split, tokenizer, max_length, threads or usable_cores(), progress)
            for split in splits
        )
        held_out = len(splits[1]) if len(raw) == 2 else 0
        info = {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "vocab_size": tokenizer.vocab_size,
            "source_language": source_language or tokenizer.source_language,
            "target_language": target_language or tokenizer.target_language,
            "max_length": max_length,
            "held_out": held_out,
            "splits": {"train": asdict(train), "valid": asdict(valid)},
            "raw": task["raw"],
            "files": work.describe(data_files()),
            "versions": task["versions"],
        }
        files.write_json(work.directory / INFO, info)
        _check_output_again(output, overwrite)
        work.finish([*data_files(), INFO], replace=overwrite)
    return Report(output, tokenizer.vocab_size, train, valid, held_out)


def _length_files() -> list[str]:
    return [length_file(token_stem(Path(), split, side)).name for split in SPLITS for side in SIDES]


def _given_tokenizer(tokenizer: str | Path | Tokenizer) -> Tokenizer:
    return tokenizer if isinstance(tokenizer, Tokenizer) else _load_tokenizer(Path(tokenizer))


def _describe(path: Path) -> dict[str, Any]:
    try:
        return files.describe(path)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error


def _tokenizer(
    given: Tokenizer | None, learning: _Learning, train: RawSplit, work: Unfinished, progress: bool
) -> Tokenizer:
    """The given tokenizer, or the one to learn, saved with the work."""
    if "tokenizer" in work.progress:
        return Tokenizer.load(work.directory)
    tokenizer = given or train_tokenizer(
        tqdm(sample(train), "vocabulary", unit=" sentences", disable=not progress),
        **asdict(learning),
    )
    tokenizer.save(work.directory)
    work.note({**work.progress, "tokenizer": True})
    return tokenizer


def _load_tokenizer(path: Path) -> Tokenizer:
    """The tokenizer of prepared data or of a model, neither of them damaged."""
    if (path / INFO).is_file():
        check_tokenizer(path, read_info(path))
    else:
        files.verify_checksums(path, "copy the model again from where it was whole")
    return Tokenizer.load(path)


def _check_output(output: Path, overwrite: bool) -> None:
    """Refuse before the work begins what could not be written at its end."""
    if output.exists() and not output.is_dir():
        raise UserError(f"{output} is a file; name a directory to write the prepared data to")
    if not output.is_dir() or not any(output.iterdir()):
        return
    if not (output / INFO).is_file():
        raise UserError(f"{output} holds other files; name a new directory for the prepared data")
    info = read_info(output)
    if not overwrite:
        raise UserError(f"{output} holds prepared data; give --overwrite to replace it")
    for path in sorted(output.iterdir()):
        if path.name != INFO and path.name not in info["files"]:
            raise UserError(f"{path} is no part of the prepared data; move it away to overwrite")


def _check_output_again(output: Path, overwrite: bool) -> None:
    """What was put there meanwhile is not replaced, nor is the work thrown away for it."""
    try:
        _check_output(output, overwrite)
    except UserError as error:
        raise files.WriteError(output, str(error), None) from error


def usable_cores() -> int:
    """Those that the process may run on."""
    return len(os.sched_getaffinity(0))


def _versions() -> dict[str, str]:
    return {
        "pytransformer": __version__,
        "sentencepiece": sentencepiece.__version__,
        "numpy": np.__version__,
    }
