"""A training run from its configuration: set up or resumed, carried out, reported."""

from __future__ import annotations

import copy
import shlex
import tomllib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from pytransformer.data.batches import TokenBatches
from pytransformer.data.tokenizer import Tokenizer
from pytransformer.devices import usable_device
from pytransformer.directory import save_model
from pytransformer.errors import UserError
from pytransformer.files import (
    WriteError,
    make_directory,
    remove_unfinished,
    restore_former,
    write_text,
)
from pytransformer.model import Transformer
from pytransformer.training import checkpoint, limits, shelf, toml
from pytransformer.training.board import Board, require_tensorboard
from pytransformer.training.config import TrainingConfig
from pytransformer.training.errors import OutputError
from pytransformer.training.identity import describe, require_same
from pytransformer.training.interrupt import StopRequest
from pytransformer.training.log import Log, NoLog
from pytransformer.training.optimizer import create_optimizer
from pytransformer.training.processes import Processes, join
from pytransformer.training.progress import Progress
from pytransformer.training.record import describe_model, describe_run
from pytransformer.training.split import open_bpe_dropout, open_training
from pytransformer.training.state import TrainingState
from pytransformer.training.stream import BatchStream
from pytransformer.training.trainer import Parts, Trainer
from pytransformer.training.validation import Validator


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Attributes:
        state: where it stands.
        model_directory: the best model, ready to translate.
        signal: the number of the signal that stopped it, None if it reached a limit.
        reached: the limits that it reached, a clause for each, as ``limits.reached``.
        first: whether this is the process that speaks for all.
    """

    state: TrainingState
    model_directory: Path
    signal: int | None
    reached: list[str]
    first: bool


def train(config: TrainingConfig, *, resume: bool = False) -> Outcome:
    """Train a model as ``config`` says, or go on where an earlier call stopped.

    The output directory then holds ``model`` (the best one), ``step-N`` checkpoints with the links
    ``last`` and ``best``, ``config.toml`` and ``log.jsonl``. With ``resume`` and no checkpoint yet
    the run starts from the beginning. A resumed run gives the bits that an uninterrupted one gives
    (on the same instruction set).

    Raises:
        UserError: if the output directory is taken, another process trains into it, or it does
            not fit what is resumed; if data or checkpoint are missing or damaged; if the loss
            diverges; if TensorBoard is asked for and not installed.
        OutputError: if the disk is full, or the output cannot be written for another reason.
    """
    usable_device(config.training.device, "[training] device")
    with join(config.training.device) as processes:
        return _train(config, resume, processes)


def _train(config: TrainingConfig, resume: bool, processes: Processes) -> Outcome:
    if config.training.tensorboard and processes.first:
        require_tensorboard()
    output = Path(config.training.output)
    last = _starting_point(output, resume)
    _set_up_torch(config)
    parts = _build(config, last, processes)
    _refuse_disagreement(parts)  # from here on the first process writes, and not before
    progress = Progress(config.training, parts.state, silent=not processes.first)
    try:
        with _open_log(parts, output) as log, StopRequest() as stop:
            if processes.first:
                _begin(parts, last, resume, log, progress)
            parts.state.processes = processes.size
            Trainer(parts, log, progress, stop).run()
    except WriteError as error:
        raise OutputError(str(error), error) from error
    finally:
        progress.close()
    reached = limits.reached(config, parts.state)
    return Outcome(parts.state, output / shelf.MODEL, stop.signal, reached, processes.first)


def _begin(parts: Parts, last: Path | None, resume: bool, log: Log, progress: Progress) -> None:
    """What the first process does before the first update."""
    output = Path(parts.config.training.output)
    try:
        remove_unfinished(output)
        if last:
            _continue(parts, last, log, progress)
            keep, metric = parts.config.checkpoints, parts.config.validation.metric
            shelf.prune(output, keep.keep, keep.keep_best, metric)  # the last save may not have
        elif resume:
            progress.say("no checkpoint yet: starting anew")
        write_text(output / shelf.CONFIG, toml.dumps(parts.config))
    except OSError as error:
        raise OutputError(f"cannot write {output}: {error.strerror}", error) from error
    if parts.config.training.tensorboard:
        log.follow(Board(output / shelf.BOARD, parts.state.seconds))
        name = shlex.quote(str(output / shelf.BOARD))
        progress.say(f"curves and translations: tensorboard --logdir {name}")


def _starting_point(output: Path, resume: bool) -> Path | None:
    """The checkpoint to go on from, None to begin."""
    if output.exists() and not output.is_dir():
        raise UserError(f"[training] output = {output} is a file; name a directory")
    if resume:
        return _last_checkpoint(output)
    if output.is_dir() and any(output.iterdir()):
        raise UserError(
            f"[training] output = {output} is not empty; continue the run in it with --resume, "
            "or name another directory"
        )
    return None


def _last_checkpoint(output: Path) -> Path | None:
    """What ``last`` points to; None where a run began and saved nothing yet.

    Without that link, as where the first save was cut short, it is the latest checkpoint.
    """
    _refuse_copied_links(output)
    restore_former(output)
    last, steps = output / shelf.LAST, shelf.steps(output)
    if last.is_symlink():
        return last.resolve()
    if steps:
        return shelf.place(output, steps[-1])
    names = [path.name for path in output.iterdir()] if output.is_dir() else []
    present = {name for name in names if not name.startswith(".")}  # what a killed process left
    if present <= {shelf.CONFIG, shelf.LOG, shelf.BOARD}:
        return None
    raise UserError(
        f"cannot resume {output}: it has no checkpoint, but holds "
        f"{', '.join(sorted(present)[:3])}; name another [training] output"
    )


def _refuse_copied_links(output: Path) -> None:
    """A copy that follows links has directories in their place, which nothing would update."""
    commands = []
    for path in (output / shelf.LAST, output / shelf.BEST):
        if path.is_dir() and not path.is_symlink():
            step, name = checkpoint.read_state(path)[0].step, shlex.quote(str(path))
            commands.append(f"mv {name} {name}.copy && ln -sfn step-{step} {name}")
    if commands:
        raise UserError(
            f"cannot resume {output}: copying made directories of its links; restore them with: "
            f"{' && '.join(commands)}"
        )


def _set_up_torch(config: TrainingConfig) -> None:
    options = config.training
    if options.threads:
        torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)


def _build(config: TrainingConfig, last: Path | None, processes: Processes) -> Parts:
    dataset = open_training(config)
    tokenizer = Tokenizer.load(config.data.directory)
    identity = describe(config, dataset)
    model = Transformer(config.model.transformer_config(tokenizer.vocab_size))
    model.to(config.training.device)
    optimizer = create_optimizer(model, config.training)
    state = TrainingState()
    validator = Validator(config, tokenizer, processes)
    rank, size = processes.rank, processes.size
    if last is not None:
        state, saved_identity = checkpoint.read_state(last)
        require_same(identity, saved_identity, last)
    _seed_process(config.training.seed, rank, state.step)
    if last is not None:
        checkpoint.restore(last, model, optimizer, rank, size)
    bpe_dropout = open_bpe_dropout(config, dataset, tokenizer)
    batches = TokenBatches(
        dataset, config.data.batch_tokens, config.training.seed, bpe_dropout=bpe_dropout
    )
    stream = BatchStream(batches, state.epoch, state.batch, rank, size)
    record = describe_run(config, dataset, validator.signature)
    return Parts(
        config, identity, model, optimizer, state, stream, validator, tokenizer, record, processes
    )


def _seed_process(seed: int, rank: int, step: int) -> None:
    """Let each process drop out what no other one does; the weights were drawn by ``seed`` alone.

    The first one draws on, unless it begins in the middle of a run.
    """
    if rank or step:
        words = np.random.SeedSequence([seed, rank, step]).generate_state(1, np.uint64)
        torch.manual_seed(int(words[0]))


def _refuse_disagreement(parts: Parts) -> None:
    """Several processes have to begin with the same data at the same place."""
    seen = parts.processes.gather((parts.state.to_dict(), parts.identity))
    for rank, (state, identity) in enumerate(seen):
        if (state, identity) != seen[0]:
            raise UserError(
                f"process {rank} begins at step {state['step']} and process 0 at step "
                f"{seen[0][0]['step']}, or their data or configurations differ: all need the same "
                "[data] directory and [training] output, on a disk that they share or as copies"
            )


def _open_log(parts: Parts, output: Path) -> Log:
    """The log, which while it is open keeps other runs from training into ``output``."""
    if not parts.processes.first:
        return NoLog()
    try:
        make_directory(output)
    except OSError as error:
        raise OutputError(f"cannot make {output}: {error.strerror}", error) from error
    return Log(output / shelf.LOG, parts.state.log_lines)


def _continue(parts: Parts, last: Path, log: Log, progress: Progress) -> None:
    """Say how a run goes on from its checkpoint ``last``, and what it was found to lack."""
    state, output = parts.state, Path(parts.config.training.output)
    progress.say(f"resuming at step {state.step:,}")
    for change in _changes(output / shelf.CONFIG, parts.config):
        progress.say(f"changed since: {change}")
    if state.processes != parts.processes.size:
        progress.say(
            f"processes: {state.processes} -> {parts.processes.size}; the run goes on, but dropout "
            "and sums are not those of a run that was never stopped"
        )
    if log.lines < state.log_lines:
        progress.say(
            f"{output / shelf.LOG} has {log.lines:,} lines, but {state.log_lines:,} were written "
            f"up to step {state.step:,}: the others are lost"
        )
    if not (output / shelf.LAST).exists():
        checkpoint.link(output, state)
        progress.say(f"{output / shelf.LAST} was missing: going on from {last.name}")
    if not (output / shelf.MODEL).exists():
        best = last if state.best_step is None else (output / shelf.BEST).resolve()
        _write_model(output / shelf.MODEL, parts, best)
        progress.say(f"{output / shelf.MODEL} was missing: written again from {best.name}")


def _changes(path: Path, config: TrainingConfig) -> list[str]:
    """What an earlier part of the run, whose configuration lies at ``path``, was told otherwise."""
    try:
        before = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []  # the checkpoint decides whether the run can go on; this only informs
    return [
        f"[{table}] {key} {before[table][key]} -> {value}"
        for table, values in tomllib.loads(toml.dumps(config)).items()
        for key, value in values.items()
        if before.get(table, {}).get(key, value) != value
    ]


def _write_model(path: Path, parts: Parts, directory: Path) -> None:
    """Write the model directory from the checkpoint in ``directory``."""
    state, _ = checkpoint.read_state(directory)
    model = copy.deepcopy(parts.model)
    checkpoint.load_weights(directory, model)
    save_model(path, model, parts.tokenizer, describe_model(parts.record, state))
