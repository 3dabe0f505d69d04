"""Prepared data and a configuration so small that a training run takes a second."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from pytransformer.data import prepare
from pytransformer.training import TrainingConfig, from_tables
from tests.cases.device import DEVICE

_WORDS = {
    "the": "die", "small": "kleine", "old": "alte", "red": "rote", "cat": "Katze",
    "bird": "Amsel", "sees": "sieht", "hears": "hört", "street": "Straße", "now": "jetzt",
}  # fmt: skip


def write_text(directory: Path, pairs: int = 200) -> tuple[Path, Path]:
    """Parallel sentences of two to eight words, word by word translations of each other."""
    chooser = random.Random(7)
    sentences = [chooser.choices(list(_WORDS), k=chooser.randint(2, 8)) for _ in range(pairs)]
    source, target = directory / "text.en", directory / "text.de"
    source.write_text("".join(" ".join(words) + "\n" for words in sentences), encoding="utf-8")
    target.write_text(
        "".join(" ".join(_WORDS[word] for word in words) + "\n" for words in sentences),
        encoding="utf-8",
    )
    return source, target


def prepare_data(directory: Path) -> Path:
    """A directory of prepared data with 190 pairs to learn from and 10 to validate on."""
    source, target = write_text(directory)
    prepare(source, target, directory / "data", vocab_size=60, source_language="en")
    return directory / "data"


def tables(data: Path, output: Path, **changes: Any) -> dict[str, dict[str, Any]]:
    """The tables of a configuration: one layer each of width 16, dropout on, a dozen updates.

    Args:
        data: prepared data.
        output: the directory of the run.
        **changes: values by ``table__key``.
    """
    result: dict[str, dict[str, Any]] = {
        "data": {"directory": str(data), "batch_tokens": 300},
        "model": {
            "preset": "tiny", "d_model": 16, "heads": 2, "ff": 32,
            "encoder_layers": 1, "decoder_layers": 1,
        },
        "training": {
            "output": str(output), "max_steps": 12, "schedule": "inverse_sqrt",
            "learning_rate": 0.01, "warmup_steps": 4, "device": DEVICE,
        },
        "validation": {"every_steps": 0, "max_sentences": 2},
        "checkpoints": {"every_steps": 0},
    }  # fmt: skip
    for name, value in changes.items():
        table, key = name.split("__")
        result[table][key] = value
    return result


def config(data: Path, output: Path, **changes: Any) -> TrainingConfig:
    """``tables`` as a configuration."""
    return from_tables(tables(data, output, **changes))


def write_config(path: Path, data: Path, output: Path, **changes: Any) -> Path:
    """``tables`` as a TOML file."""
    from pytransformer.training import toml

    path.write_text(toml.dumps(config(data, output, **changes)), encoding="utf-8")
    return path


def losses(output: Path) -> list[float]:
    """The losses of a run's updates, as its log has them."""
    return [entry["loss"] for entry in read_log(output)]


def same_bits(one: Path, other: Path) -> bool:
    """Whether two runs have come to the same parameters, moments and generators."""
    for name in ("model.safetensors", "optimizer.safetensors"):
        first, second = (load_file(output / "last" / name) for output in (one, other))
        if first.keys() != second.keys():
            return False
        if not all(torch.equal(first[key], second[key]) for key in first):
            return False
    return True


def read_log(output: Path, kind: str = "train") -> list[dict[str, Any]]:
    """The lines of ``kind`` in the log of a run."""
    lines = (output / "log.jsonl").read_text(encoding="utf-8").splitlines()
    return [entry for entry in map(json.loads, lines) if entry["kind"] == kind]


def told(output: Path, kind: str = "train") -> list[dict[str, Any]]:
    """The same without what depends on the clock."""
    clock = ("seconds", "tokens_per_second", "waited")
    return [
        {key: value for key, value in line.items() if key not in clock}
        for line in read_log(output, kind)
    ]
