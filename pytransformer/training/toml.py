"""Configurations as TOML text (the standard library reads TOML and does not write it)."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from pytransformer.config import TransformerConfig
from pytransformer.training.config import TABLES, ModelOptions, TrainingConfig


def dumps(config: TrainingConfig) -> str:
    """All tables and keys with their values; ``load`` reads them back."""
    return "\n".join(
        "".join([f"[{table}]\n", *(f"{key} = {_value(value)}\n" for key, value in values.items())])
        for table, values in config.to_tables().items()
    )


def documented_defaults() -> str:
    """Every key with its default and what it means: a file to start from."""
    return "\n".join(
        "".join([f"[{table}]\n", *_documented(options)]) for table, options in TABLES.items()
    )


def _documented(options: type) -> list[str]:
    if options is ModelOptions:
        return _documented_model()
    lines = []
    for field in dataclasses.fields(options):
        required = "required: " if field.metadata["required"] else ""
        lines.append(
            f"{field.name} = {_value(field.default)}  # {required}{field.metadata['text']}\n"
        )
    return lines


def _documented_model() -> list[str]:
    preset = ModelOptions.preset
    model = TransformerConfig.preset(preset, vocab_size=2).to_dict()
    del model["vocab_size"]
    return [
        f'preset = "{preset}"  # tiny, small, base or big; what follows changes single fields\n',
        *(f"# {key} = {_value(value)}\n" for key, value in model.items()),
    ]


def _value(value: Any) -> str:
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, float):
        return repr(value)  # TOML reads Python's notation, 1e-09 included
    if isinstance(value, bool | int | str):
        return json.dumps(value, ensure_ascii=False)
    raise TypeError(f"no TOML notation for {value!r}")
