"""The configuration of a training run: five tables, read from TOML, checked before anything starts.

The tables are dataclasses; the comment that ``pytransformer train --print-config`` writes beside
each key is the text given here.
"""

from __future__ import annotations

import dataclasses
import tomllib
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pytransformer.config import TransformerConfig
from pytransformer.errors import UserError
from pytransformer.training.options import convert_value, nearest, option, read_table


@dataclass(frozen=True)
class DataOptions:
    """``[data]``: what is learned from."""

    directory: str = option("", "the directory that `pytransformer prepare` wrote", required=True)
    more_directories: tuple[str, ...] = option(
        (), "others, with its vocabulary (prepare --tokenizer), to learn from together with it"
    )
    weights: tuple[float, ...] = option(
        (),
        "how often a pass takes each pair of directory and of more_directories; []: once",
        more_than=0,
        at_most=1000,
    )
    bpe_dropout: float = option(
        0.0,
        "probability of leaving a merge out, anew in every pass (Provilkov et al. 2020)",
        at_least=0,
        less_than=1,
    )
    batch_tokens: int = option(
        4096, "tokens of one batch, source and target", at_least=1, at_most=2**31 - 1
    )


@dataclass(frozen=True)
class ModelOptions:
    """``[model]``: a preset, and any field of TransformerConfig that shall differ from it.

    ``vocab_size`` is no option: the prepared data decides it.
    """

    preset: str = "base"
    changes: Mapping[str, Any] = field(default_factory=dict)

    def transformer_config(self, vocab_size: int) -> TransformerConfig:
        """The model these options describe.

        Raises:
            ValueError: if a field is out of range, or two contradict each other.
        """
        return TransformerConfig.preset(self.preset, vocab_size=vocab_size, **self.changes)


@dataclass(frozen=True)
class TrainingOptions:
    """``[training]``: how the model learns, and when it stops."""

    output: str = option("", "the directory that the run writes", required=True)
    seed: int = option(
        1, "draws the weights, the order of the data and dropout", at_least=0, at_most=2**64 - 1
    )
    max_steps: int = option(100_000, "stop after this many updates; 0: no limit", at_least=0)
    max_epochs: int = option(
        0, "stop after this many passes over the data; 0: no limit", at_least=0
    )
    max_minutes: float = option(
        0.0,
        "stop after this time, earlier parts of a resumed run included; 0: no limit",
        at_least=0,
    )
    schedule: Literal["paper", "inverse_sqrt", "linear"] = option(
        "paper",
        "paper: the rate follows from d_model; inverse_sqrt: its peak is learning_rate; "
        "linear: the same, but straight down to 0 at max_steps",
    )
    learning_rate: float = option(
        0.0, "the peak rate of inverse_sqrt and linear; 0 with the paper's schedule", at_least=0
    )
    warmup_steps: int = option(4000, "updates over which the rate rises", at_least=1)
    label_smoothing: float = option(
        0.1, "probability spread over the vocabulary (section 5.4)", at_least=0, less_than=1
    )
    optimizer: Literal["adam", "muon"] = option(
        "adam",
        "adam, or muon for the matrices inside the layers and adam for the rest, which learns more "
        "from as many updates",
    )
    adam_betas: tuple[float, float] = option(
        (0.9, 0.98), "decay of Adam's moments (section 5.3)", at_least=0, less_than=1
    )
    adam_eps: float = option(1e-9, "added to Adam's denominator", more_than=0)
    muon_momentum: float = option(0.95, "decay of Muon's momentum", at_least=0, less_than=1)
    muon_scale: float = option(
        0.2, "root mean square of what Muon adds to a matrix, in learning rates", more_than=0
    )
    weight_decay: float = option(0.0, "decoupled from the gradient, as AdamW's", at_least=0)
    clip_norm: float = option(0.0, "largest norm of all gradients together; 0: any", at_least=0)
    max_skipped: int = option(
        10, "updates in a row without a finite loss or gradient that end the run", at_least=1
    )
    accumulate: int = option(1, "batches whose gradients make one update", at_least=1)
    precision: Literal["float32", "bfloat16"] = option(
        "float32", "bfloat16: float32 parameters under autocast"
    )
    device: Literal["cpu", "cuda"] = option("cpu", "where the model lives: cpu or cuda")
    threads: int = option(0, "CPU threads; 0: torch's choice", at_least=0, at_most=1024)
    tensorboard: bool = option(False, "write the log for TensorBoard too (pip install tensorboard)")


@dataclass(frozen=True)
class ValidationOptions:
    """``[validation]``: how the model is judged on the way; also once at the end."""

    every_steps: int = option(1000, "updates between validations; 0: only at the end", at_least=0)
    patience: int = option(
        0, "validations in a row without a better score that end the run; 0: no limit", at_least=0
    )
    beam_size: int = option(1, "hypotheses per sentence; 1: greedy", at_least=1)
    max_sentences: int = option(500, "sentences to translate for BLEU; 0: all", at_least=0)
    samples: int = option(
        3, "of these, sentences to show with their translations each time", at_least=0
    )
    metric: Literal["bleu", "loss"] = option("bleu", "what the best checkpoint is best in")
    tokenize: Literal["13a", "none", "intl", "char", "zh", "ja-mecab", "ko-mecab"] = option(
        "13a", "how sacreBLEU cuts words; none: the text is tokenized already"
    )


@dataclass(frozen=True)
class CheckpointOptions:
    """``[checkpoints]``: what is kept on disk."""

    every_steps: int = option(
        1000, "updates between checkpoints; 0: only the best and at the end", at_least=0
    )
    keep: int = option(2, "recent checkpoints kept beside the best ones", at_least=1)
    keep_best: int = option(1, "best checkpoints kept beside the recent ones", at_least=1)


@dataclass(frozen=True)
class TrainingConfig:
    """Everything that one training run is told."""

    data: DataOptions
    model: ModelOptions
    training: TrainingOptions
    validation: ValidationOptions
    checkpoints: CheckpointOptions

    def to_tables(self) -> dict[str, dict[str, Any]]:
        """Plain values by table and key, every field of the model included."""
        tables = {
            name: dataclasses.asdict(getattr(self, name)) for name in TABLES if name != "model"
        }
        model = self.model.transformer_config(vocab_size=2).to_dict()
        del model["vocab_size"]
        tables["model"] = {"preset": self.model.preset, **model}
        return {name: tables[name] for name in TABLES}


TABLES: dict[str, type] = {
    "data": DataOptions,
    "model": ModelOptions,
    "training": TrainingOptions,
    "validation": ValidationOptions,
    "checkpoints": CheckpointOptions,
}


def load(path: Path, changes: Sequence[str] = ()) -> TrainingConfig:
    """Read a TOML file.

    Args:
        path: the file.
        changes: ``table.key=value`` each, in TOML's notation; they win over the file.

    Raises:
        UserError: if the file cannot be read, or as ``from_tables``; the message names the file.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}; give a configuration file") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not TOML: {error}") from error
    return change(tables, changes, str(path))


def change(tables: dict[str, Any], changes: Sequence[str], name: str) -> TrainingConfig:
    """A configuration of tables with changes, as ``load``; errors begin with ``name``."""
    for one in changes:
        _apply(one, tables)
    try:
        return from_tables(tables)
    except UserError as error:
        raise UserError(f"{name}: {error}") from error


def from_tables(tables: Mapping[str, Any]) -> TrainingConfig:
    """Check tables of plain values and make a configuration of them.

    Raises:
        UserError: for an unknown table or key (with the nearest known one), a value of the wrong
            type or range, or values that contradict each other; the message names ``[table] key``.
    """
    for name, values in tables.items():
        if name not in TABLES:
            raise UserError(f"[{name}] is unknown{nearest(name, TABLES)}")
        if not isinstance(values, Mapping):
            raise UserError(f"[{name}] must be a table, but is {values!r}")
    config = TrainingConfig(
        data=read_table("data", DataOptions, tables.get("data", {})),
        model=_read_model(tables.get("model", {})),
        training=read_table("training", TrainingOptions, tables.get("training", {})),
        validation=read_table("validation", ValidationOptions, tables.get("validation", {})),
        checkpoints=read_table("checkpoints", CheckpointOptions, tables.get("checkpoints", {})),
    )
    _check_data(config.data)
    _check_together(config.training)
    _check_patience(config.validation)
    return config


def _read_model(values: Mapping[str, Any]) -> ModelOptions:
    types = typing.get_type_hints(TransformerConfig)
    known = ["preset", *(name for name in types if name != "vocab_size")]
    changes = {}
    for key, value in values.items():
        if key == "vocab_size":
            raise UserError("[model] vocab_size comes from the prepared data; leave it out")
        if key not in known:
            raise UserError(f"[model] {key} is unknown{nearest(key, known)}")
        changes[key] = convert_value(f"[model] {key}", value, types.get(key, str))
    options = ModelOptions(changes.pop("preset", ModelOptions.preset), changes)
    try:
        options.transformer_config(vocab_size=2)
    except ValueError as error:
        raise UserError(f"[model] {error}") from error
    return options


def _check_data(options: DataOptions) -> None:
    corpora = 1 + len(options.more_directories)
    if options.weights and len(options.weights) != corpora:
        raise UserError(
            f"[data] weights = {list(options.weights)}: must be {corpora} numbers, one for "
            "directory and one for each of more_directories"
        )


def _check_together(options: TrainingOptions) -> None:
    if not (options.max_steps or options.max_epochs or options.max_minutes):
        raise UserError(
            "[training] max_steps, max_epochs and max_minutes are all 0: give at least one limit"
        )
    if options.schedule != "paper" and options.learning_rate == 0:
        raise UserError(
            f'[training] learning_rate is 0: schedule "{options.schedule}" needs its peak rate'
        )
    if options.schedule == "linear" and options.max_steps < options.warmup_steps:
        raise UserError(
            f'[training] max_steps = {options.max_steps}: schedule "linear" falls to 0 there, so '
            f"it must be at least warmup_steps = {options.warmup_steps}"
        )
    if options.schedule == "paper" and options.learning_rate != 0:
        raise UserError(
            f'[training] learning_rate = {options.learning_rate}: schedule "paper" takes none; '
            'remove it or choose schedule = "inverse_sqrt" or "linear"'
        )


def _check_patience(options: ValidationOptions) -> None:
    if options.patience and options.every_steps == 0:
        raise UserError(
            f"[validation] patience = {options.patience} counts validations, but every_steps = 0 "
            "makes only one, at the end; set every_steps, or leave patience out"
        )


def _apply(change: str, tables: dict[str, Any]) -> None:
    name, equals, text = change.partition("=")
    table, dot, key = name.strip().partition(".")
    if not (equals and dot and table and key):
        raise UserError(f"--set {change}: write table.key=value, as in training.max_steps=100")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text.strip()  # a bare word or path needs no quotes on the command line
    values = tables.setdefault(table, {})
    if not isinstance(values, dict):
        raise UserError(f"[{table}] must be a table, but is {values!r}")
    values[key] = value
