"""A training run from its configuration: set up or resumed, carried out, reported."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from pytransformer.data.batches import TokenBatches
from pytransformer.data.dataset import ParallelDataset
from pytransformer.data.tokenizer import Tokenizer
from pytransformer.errors import UserError
from pytransformer.files import write_text
from pytransformer.model import Transformer
from pytransformer.training import checkpoint, toml
from pytransformer.training.config import TrainingConfig
from pytransformer.training.interrupt import StopRequest
from pytransformer.training.log import Log
from pytransformer.training.progress import Progress
from pytransformer.training.state import TrainingState
from pytransformer.training.stream import BatchStream
from pytransformer.training.trainer import Parts, Trainer
from pytransformer.training.update import create_optimizer
from pytransformer.training.validation import Validator


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Attributes:
        state: where it stands.
        model_directory: the best model, ready to translate.
        signal: the number of the signal that stopped it, None if it reached its limit.
    """

    state: TrainingState
    model_directory: Path
    signal: int | None


def train(config: TrainingConfig, *, resume: bool = False) -> Outcome:
    """Train a model as ``config`` says, or go on where an earlier call stopped.

    The output directory then holds ``model`` (the best one), ``step-N`` checkpoints with the links
    ``last`` and ``best``, ``config.toml`` and ``log.jsonl``. With ``resume`` and no checkpoint yet
    the run starts from the beginning. A resumed run gives the bits that an uninterrupted one gives
    (on the same instruction set).

    Raises:
        UserError: if the output directory is taken, or does not fit what is resumed; if data or
            checkpoint are missing or damaged; if the loss diverges.
        OutputError: if the disk is full, or the output cannot be written for another reason.
    """
    output = Path(config.training.output)
    last = _starting_point(output, resume)
    _set_up_torch(config)
    parts = _build(config, last)
    output.mkdir(parents=True, exist_ok=True)
    write_text(output / "config.toml", toml.dumps(config))
    progress = Progress(config.training, parts.state)
    if resume:
        progress.say(
            f"resuming at step {parts.state.step:,}" if last else "no checkpoint yet: starting anew"
        )
    try:
        with (
            Log(output / "log.jsonl", keep_lines=parts.state.log_lines) as log,
            StopRequest() as stop,
        ):
            Trainer(parts, log, progress, stop).run()
    finally:
        progress.close()
    return Outcome(parts.state, output / "model", stop.signal)


def _starting_point(output: Path, resume: bool) -> Path | None:
    """The checkpoint to go on from, None to begin."""
    if resume:
        return _last_checkpoint(output)
    if output.exists() and not output.is_dir():
        raise UserError(f"[training] output = {output} is a file; name a directory")
    if output.is_dir() and any(output.iterdir()):
        raise UserError(
            f"[training] output = {output} is not empty; continue the run in it with --resume, "
            "or name another directory"
        )
    return None


def _last_checkpoint(output: Path) -> Path | None:
    """What ``last`` points to; None where a run began and saved nothing yet."""
    last = output / checkpoint.LAST
    if last.is_symlink():
        return last.resolve()
    present = {path.name for path in output.iterdir()} if output.is_dir() else set()
    if present <= {"config.toml", "log.jsonl"}:
        return None
    raise UserError(
        f"cannot resume {output}: it has no link `{checkpoint.LAST}` to a checkpoint, but holds "
        f"{', '.join(sorted(present)[:3])}; if those are checkpoints, make the link (ln -s step-N "
        f"{last}), otherwise name another [training] output"
    )


def _set_up_torch(config: TrainingConfig) -> None:
    options = config.training
    if options.device == "cuda" and not torch.cuda.is_available():
        raise UserError('[training] device = "cuda", but torch sees no CUDA device; use "cpu"')
    if options.threads:
        torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)


def _build(config: TrainingConfig, last: Path | None) -> Parts:
    directory = Path(config.data.directory)
    tokenizer = Tokenizer.load(directory)
    dataset = ParallelDataset(directory, "train")
    if len(dataset) == 0:
        raise UserError(f"{directory} has no pairs to learn from; prepare it with some")
    identity = _identity(config, dataset)
    model = Transformer(config.model.transformer_config(tokenizer.vocab_size))
    model.to(config.training.device)
    optimizer = create_optimizer(model, config.training)
    state = TrainingState()
    validator = Validator(config, tokenizer)
    if last is not None:
        state, saved_identity = checkpoint.read_state(last)
        _check_identity(identity, saved_identity, last)
        checkpoint.restore(last, model, optimizer)
    batches = TokenBatches(dataset, config.data.batch_tokens, seed=config.training.seed)
    stream = BatchStream(batches, state.epoch, state.batch)
    return Parts(config, identity, model, optimizer, state, stream, validator, tokenizer)


def _identity(config: TrainingConfig, dataset: ParallelDataset) -> dict[str, Any]:
    """What decides the meaning of a checkpoint: the model, the data and their order."""
    tables = config.to_tables()
    model = {f"[model] {key}": value for key, value in tables["model"].items() if key != "preset"}
    files = dataset.info["files"]
    data = {name: files[name]["sha256"] for name in sorted(files) if name.startswith("train.")}
    return {
        **model,
        "[data] batch_tokens": config.data.batch_tokens,
        "[training] seed": config.training.seed,
        # Scores of different sentences or searches cannot be compared for the best.
        "[validation] metric": config.validation.metric,
        "[validation] beam_size": config.validation.beam_size,
        "[validation] max_sentences": config.validation.max_sentences,
        **data,
    }


def _check_identity(now: dict[str, Any], then: dict[str, Any], last: Path) -> None:
    for key in {**then, **now}:
        if now.get(key) != then.get(key):
            raise UserError(
                f"cannot resume {last}: {key} was {then.get(key)} when the run began and is "
                f"{now.get(key)} now; restore it, or train into another [training] output"
            )
