"""A model as a directory: the layout of a Hugging Face Marian model.

``config.json``, ``model.safetensors``, ``generation_config.json``, ``source.spm``, ``target.spm``,
``vocab.json`` and ``tokenizer_config.json`` open in ``transformers`` as they are; a Marian model
from elsewhere opens here. ``checksums.json`` tells damage and
``training.json`` how the model was made; both may be absent.

A model with an option that Marian does not have (pre-norm, learned positions, another epsilon) uses
the same files with ``"model_type": "pytransformer"`` and our own parameter names.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import safetensors
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from pytransformer import files, marian
from pytransformer.config import TransformerConfig
from pytransformer.data.tokenizer import TOKENIZER_FILES, VOCABULARY, Tokenizer
from pytransformer.errors import UserError
from pytransformer.model import Transformer

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
GENERATION = "generation_config.json"
RECORD = "training.json"
MODEL_FILES = (CONFIG, WEIGHTS, GENERATION, *TOKENIZER_FILES)

_OWN_MODEL_TYPE = "pytransformer"
_REMEDY = "copy the model again from where it was whole"


def save_model(
    directory: str | Path,
    model: Transformer,
    tokenizer: Tokenizer,
    record: Mapping[str, Any] | None = None,
) -> None:
    """Write a model directory, or replace one; a failure leaves the former one whole.

    Args:
        directory: absent, empty, or a model directory.
        model: on any device, in any floating-point dtype (which is kept).
        tokenizer: with the model's vocabulary.
        record: how the model was made, plain values for ``training.json``.

    Raises:
        UserError: if the directory holds other files, which would be lost, or the disk is full.
        ValueError: if model and tokenizer disagree about the vocabulary.
    """
    directory = Path(directory)
    _check_replaceable(directory)
    with files.atomic_directory(directory, replace=True) as temporary:
        write_model(temporary, model, tokenizer, record)


def write_model(
    directory: Path,
    model: Transformer,
    tokenizer: Tokenizer,
    record: Mapping[str, Any] | None = None,
) -> None:
    """Write a model's files into an existing directory, as a part of something larger.

    The whole is not atomic; use ``save_model``, or fill a directory of ``files.atomic_directory``.
    """
    config = model.config
    if tokenizer.vocab_size != config.vocab_size:
        raise ValueError(
            f"the tokenizer has {tokenizer.vocab_size} ids, the model {config.vocab_size}"
        )
    tensors = {name: tensor.detach().cpu() for name, tensor in model.state_dict().items()}
    if marian.obstacles(config):
        values = {"model_type": _OWN_MODEL_TYPE, _OWN_MODEL_TYPE: config.to_dict()}
    else:
        values = marian.config_to_marian(config)
        tensors = marian.tensors_to_marian(tensors)
    values["torch_dtype"] = str(model.embedding.dtype).removeprefix("torch.")
    files.write_json(directory / CONFIG, values)
    files.write_json(directory / GENERATION, marian.generation_config(config))
    tokenizer.save(directory)
    _write_weights(directory / WEIGHTS, tensors)
    if record is not None:
        files.write_json(directory / RECORD, record)
    written = MODEL_FILES if record is None else (*MODEL_FILES, RECORD)
    files.write_checksums(directory, written)


def load_model(
    directory: str | Path, dtype: torch.dtype = torch.float32
) -> tuple[Transformer, Tokenizer]:
    """Read a model directory.

    Args:
        directory: written by ``save_model``, or a Marian model with safetensors weights.
        dtype: of the parameters, whatever the stored dtype.

    Returns:
        The model, on the CPU and in evaluation mode, and its tokenizer.

    Raises:
        UserError: naming what is missing, damaged, inconsistent, or not supported.
    """
    directory = Path(directory)
    _check_present(directory)
    files.verify_checksums(directory, _REMEDY)
    values = files.read_json(directory / CONFIG, _REMEDY)
    config = _read_config(directory / CONFIG, values)
    tokenizer = Tokenizer.load(directory)
    if tokenizer.vocab_size != config.vocab_size:
        raise UserError(
            f"{directory / VOCABULARY} has {tokenizer.vocab_size} ids, but "
            f"{CONFIG} says vocab_size = {config.vocab_size}; they belong to different models"
        )
    tensors = _read_weights(directory / WEIGHTS)
    # Building a model draws its initial parameters, which must not disturb the caller's generator.
    with torch.random.fork_rng(devices=[]), torch.device("cpu"):
        model = Transformer(config).to(dtype)
    own = values.get("model_type") == _OWN_MODEL_TYPE
    state = _fit(directory / WEIGHTS, tensors, model.state_dict(), own)
    model.load_state_dict(state)
    return model.eval(), tokenizer


def save_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write a safetensors file of tensors that may lie on any device.

    Raises:
        WriteError: if the system refuses (a full disk).
    """
    try:
        contiguous = {name: tensor.cpu().contiguous() for name, tensor in tensors.items()}
        save_file(contiguous, path, metadata={"format": "pt"})
    except safetensors.SafetensorError as error:
        # The library reports the system's error as text only; a full disk must be told from it.
        found = re.search(r"os error (\d+)", str(error))
        number = int(found[1]) if found else None
        reason = os.strerror(number) if number is not None else str(error)
        raise files.WriteError(path, reason, number) from error


def _check_replaceable(directory: Path) -> None:
    if not directory.is_dir():
        return
    for path in sorted(directory.iterdir()):
        if path.name not in (*MODEL_FILES, RECORD, files.CHECKSUMS):
            raise UserError(
                f"{directory} holds {path.name!r}, which is no part of a model and would be lost; "
                f"name another directory or move it away"
            )


def _check_present(directory: Path) -> None:
    if not directory.is_dir():
        raise UserError(f"{directory} is no directory; name a model directory")
    needed = [name for name in MODEL_FILES if name != GENERATION]
    missing = [name for name in needed if not (directory / name).is_file()]
    if missing:
        raise UserError(
            f"{directory} lacks {', '.join(missing)}; a model directory holds {', '.join(needed)}"
        )


def _read_config(path: Path, values: dict[str, Any]) -> TransformerConfig:
    model_type = values.get("model_type")
    try:
        if model_type == _OWN_MODEL_TYPE:
            return TransformerConfig.from_dict(values.get(_OWN_MODEL_TYPE, {}))
        if model_type == marian.MODEL_TYPE:
            return marian.config_from_marian(values)
    except (ValueError, TypeError) as error:
        raise UserError(f"{path} cannot be used: {error}") from error
    raise UserError(
        f"{path} describes a model of type {model_type!r}; "
        f"{marian.MODEL_TYPE!r} and {_OWN_MODEL_TYPE!r} can be read"
    )


def _write_weights(path: Path, tensors: dict[str, Tensor]) -> None:
    # The parts of one matrix share its memory, which a safetensors file cannot.
    save_tensors(path, {name: tensor.clone() for name, tensor in tensors.items()})


def _read_weights(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (safetensors.SafetensorError, OSError) as error:
        raise UserError(f"{path} is truncated or damaged ({error}); {_REMEDY}") from error


def _fit(
    path: Path, tensors: dict[str, Tensor], state: dict[str, Tensor], own: bool
) -> dict[str, Tensor]:
    """Check what the file holds against what the model expects, and rename it."""
    expected = state if own else marian.tensors_to_marian(state)
    if not own:
        tensors = {name: tensor for name, tensor in tensors.items() if name not in marian.REPEATED}
        tensors.setdefault(marian.BIAS, expected[marian.BIAS])
    _check_names(path, tensors.keys(), expected.keys())
    for name, tensor in tensors.items():
        if tensor.shape != expected[name].shape:
            raise UserError(
                f"{path}: {name} has the shape {list(tensor.shape)}, but {CONFIG} asks for "
                f"{list(expected[name].shape)}; they belong to different models"
            )
    if own:
        return tensors
    if tensors[marian.BIAS].any():
        raise UserError(f"{path}: {marian.BIAS} is not zero; an output bias is not supported")
    if tensors[marian.EMBEDDING][-1].any():
        raise UserError(f"{path}: {marian.EMBEDDING} has a last row (<pad>) that is not zero")
    return marian.tensors_from_marian(tensors, state)


def _check_names(path: Path, found: Iterable[str], expected: Iterable[str]) -> None:
    missing = sorted(set(expected) - set(found))
    unexpected = sorted(set(found) - set(expected))
    if missing or unexpected:
        parts = [
            f"{word} {_some(names)}"
            for word, names in (("lacks", missing), ("has an unexpected", unexpected))
            if names
        ]
        raise UserError(f"{path} {' and '.join(parts)}; it does not belong to its {CONFIG}")


def _some(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"
