"""Raw parallel text to a directory of prepared data (see ``layout``)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import sentencepiece
from tqdm import tqdm

from pytransformer import files
from pytransformer.data.layout import (
    FORMAT,
    FORMAT_VERSION,
    INFO,
    SIDES,
    check_tokenizer,
    read_info,
    text_file,
    token_stem,
)
from pytransformer.data.ragged import RaggedWriter, token_dtype
from pytransformer.data.text import read_pairs
from pytransformer.data.tokenizer import ModelType, Tokenizer, train_tokenizer
from pytransformer.errors import UserError
from pytransformer.version import __version__

# The tokenizer learns from at most this many pairs, taken at even distances.
TOKENIZER_PAIRS = 2_000_000
# At most this share of the pairs is held out for validation.
HELD_OUT_SHARE = 0.05

# Pairs that are turned into ids at once.
_CHUNK = 10_000

_Pair = tuple[str, str]
_Ids = tuple[list[int], list[int]]


@dataclass
class SplitCounts:
    """What became of the pairs of one split; tokens are without ``</s>``."""

    pairs: int = 0
    source_tokens: int = 0
    target_tokens: int = 0
    dropped_empty: int = 0
    dropped_too_long: int = 0


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
class _Split:
    """The pairs ``start`` up to ``stop`` of two parallel files."""

    name: str
    source: Path
    target: Path
    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start

    def pairs(self) -> Iterator[_Pair]:
        return islice(read_pairs(self.source, self.target), self.start, self.stop)


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
    progress: bool = False,
) -> Report:
    """Learn a tokenizer, turn parallel text into ids, and write a directory for training.

    The same text and options give the same files.

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
        progress: show progress bars on standard error.

    Raises:
        UserError: for everything that can be wrong with the files; ``output`` is then as it was.
        ValueError: if an option is out of range.
    """
    output = Path(output)
    for name, value, least in (("max_length", max_length, 2), ("valid_lines", valid_lines, 1)):
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
    splits = _find_splits(raw, valid_lines, progress)
    if tokenizer is None:
        tokenizer = train_tokenizer(
            tqdm(_sample(splits[0]), "vocabulary", unit=" sentences", disable=not progress),
            vocab_size,
            model_type,
            lowercase=lowercase,
            source_language=source_language,
            target_language=target_language,
        )
    elif not isinstance(tokenizer, Tokenizer):
        tokenizer = _load_tokenizer(Path(tokenizer))

    with files.atomic_directory(output, replace=overwrite) as directory:
        train, valid = (
            _write_split(directory, split, tokenizer, max_length, progress) for split in splits
        )
        tokenizer.save(directory)
        held_out = len(splits[1]) if len(raw) == 2 else 0
        report = Report(output, tokenizer.vocab_size, train, valid, held_out)
        info = {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "vocab_size": tokenizer.vocab_size,
            "source_language": source_language or tokenizer.source_language,
            "target_language": target_language or tokenizer.target_language,
            "max_length": max_length,
            "held_out": held_out,
            "splits": {"train": asdict(train), "valid": asdict(valid)},
            "raw": [{"name": path.name, **files.describe(path)} for path in raw],
            "files": {path.name: files.describe(path) for path in sorted(directory.iterdir())},
            "versions": _versions(),
        }
        files.write_json(directory / INFO, info)
    return report


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


def _find_splits(raw: list[Path], valid_lines: int, progress: bool) -> tuple[_Split, _Split]:
    """Read all text once, which checks it and counts it, and say which pairs are for what."""
    totals = []
    for source, target in zip(raw[::2], raw[1::2], strict=True):
        pairs = tqdm(read_pairs(source, target), "reading", unit=" pairs", disable=not progress)
        totals.append(sum(1 for _ in pairs))
    train = _Split("train", raw[0], raw[1], 0, totals[0])
    if len(raw) == 4:
        return train, _Split("valid", raw[2], raw[3], 0, totals[1])
    if totals[0] < 2:
        raise UserError(f"{raw[0]} has {totals[0]} lines; holding one out takes at least 2")
    start = totals[0] - min(valid_lines, max(1, int(totals[0] * HELD_OUT_SHARE)))
    return (
        _Split("train", raw[0], raw[1], 0, start),
        _Split("valid", raw[0], raw[1], start, totals[0]),
    )


def _sample(split: _Split) -> Iterator[str]:
    """The sentences of both sides that the tokenizer learns from."""
    stride = max(1, -(-len(split) // TOKENIZER_PAIRS))
    for pair in islice(split.pairs(), 0, None, stride):
        yield from pair


def _write_split(
    directory: Path, split: _Split, tokenizer: Tokenizer, max_length: int, progress: bool
) -> SplitCounts:
    counts = SplitCounts()
    dtype = token_dtype(tokenizer.vocab_size)
    bar = tqdm(desc=split.name, total=len(split), unit=" pairs", disable=not progress)
    with bar, ExitStack() as stack:
        writers = [
            stack.enter_context(RaggedWriter(token_stem(directory, split.name, side), dtype))
            for side in SIDES
        ]
        texts = [
            stack.enter_context(
                text_file(directory, split.name, side).open("w", encoding="utf-8", newline="")
            )
            for side in SIDES
            if split.name == "valid"
        ]
        for chunk in _chunks(split.pairs()):
            kept = _keep(chunk, tokenizer, max_length, counts)
            for side, writer in enumerate(writers):
                writer.append([ids[side] for _, ids in kept])
            for side, text in enumerate(texts):
                fold = str.casefold if tokenizer.folds_case else str
                text.writelines(fold(pair[side]) + "\n" for pair, _ in kept)
            bar.update(len(chunk))
    if counts.pairs == 0:
        raise UserError(
            f"none of the {len(split)} pairs for {split.name} is usable: {counts.dropped_empty} "
            f"empty, {counts.dropped_too_long} longer than --max-length {max_length}"
        )
    return counts


def _keep(
    pairs: list[_Pair], tokenizer: Tokenizer, max_length: int, counts: SplitCounts
) -> list[tuple[_Pair, _Ids]]:
    """The usable pairs with their ids; ``counts`` is brought up to date."""
    sources = tokenizer.encode([source for source, _ in pairs])
    targets = tokenizer.encode_target([target for _, target in pairs])
    kept = []
    for pair, source, target in zip(pairs, sources, targets, strict=True):
        if not source or not target:
            counts.dropped_empty += 1
        elif max(len(source), len(target)) >= max_length:  # </s> counts too
            counts.dropped_too_long += 1
        else:
            counts.pairs += 1
            counts.source_tokens += len(source)
            counts.target_tokens += len(target)
            kept.append((pair, (source, target)))
    return kept


def _chunks(pairs: Iterator[_Pair]) -> Iterator[list[_Pair]]:
    while chunk := list(islice(pairs, _CHUNK)):
        yield chunk


def _versions() -> dict[str, str]:
    return {
        "pytransformer": __version__,
        "sentencepiece": sentencepiece.__version__,
        "numpy": np.__version__,
    }
