"""The training loop."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pytransformer.data.tokenizer import Tokenizer
from pytransformer.directory import save_model
from pytransformer.errors import UserError
from pytransformer.model import Transformer
from pytransformer.training import checkpoint, limits, shelf
from pytransformer.training.config import TrainingConfig
from pytransformer.training.errors import OutputError
from pytransformer.training.exchange import GradientExchange
from pytransformer.training.interrupt import StopRequest
from pytransformer.training.log import Log
from pytransformer.training.prefetch import Prefetch
from pytransformer.training.processes import Processes
from pytransformer.training.progress import Progress, clock_time
from pytransformer.training.record import describe_model
from pytransformer.training.state import TrainingState
from pytransformer.training.stream import BatchStream
from pytransformer.training.update import learning_rate, update
from pytransformer.training.validation import Validation, Validator


@dataclass(frozen=True)
class Parts:
    """What a run works with.

    Attributes:
        config: what it was told.
        identity: what a resumed run must share with this one, saved with every checkpoint.
        model, optimizer: what it changes.
        state: where it stands.
        stream: the batches to come.
        validator: the judge.
        tokenizer, record: saved beside the model; the record says how all models of the run were
            made.
        processes: those that do the same beside this one.
    """

    config: TrainingConfig
    identity: dict[str, Any]
    model: Transformer
    optimizer: torch.optim.Optimizer
    state: TrainingState
    stream: BatchStream
    validator: Validator
    tokenizer: Tokenizer
    record: dict[str, Any]
    processes: Processes


class Trainer:
    """Updates, validates and saves until a limit is reached or a signal asks to stop."""

    def __init__(self, parts: Parts, log: Log, progress: Progress, stop: StopRequest) -> None:
        self._parts = parts
        self._config = parts.config
        self._state = parts.state
        self._output = Path(parts.config.training.output)
        self._log = log
        self._progress = progress
        self._stop = stop
        self._agreed_to_stop = False
        self._processes = parts.processes
        self._exchange = GradientExchange(list(parts.model.parameters()), parts.processes)
        self._position = parts.stream.position
        self._saved_step = parts.state.step or None  # a resumed run begins at a checkpoint
        self._started = time.monotonic() - parts.state.seconds

    def run(self) -> None:
        """Train. The last thing done before returning is a checkpoint.

        A resumed run does first what was due at its step and not done when it was stopped.

        Raises:
            UserError: if too many updates in a row had to be skipped.
            OutputError: if the disk is full, or the output cannot be written for another reason.
        """
        self._parts.model.train()
        with Prefetch(self._parts.stream, self._config.training.accumulate) as shares:
            while True:
                if self._validation_due(self._finished()):
                    self._validate()
                finished = self._finished()  # a validation may have been the last one to wait for
                if self._checkpoint_due(finished):
                    self._save()
                if finished or self._stopping:
                    return
                self._update(shares)

    @property
    def _stopping(self) -> bool:
        """Whether to stop; several processes have to come to it at the same moment."""
        return self._stop.requested if self._processes.size == 1 else self._agreed_to_stop

    def _finished(self) -> bool:
        return bool(limits.reached(self._config, self._state))

    def _validation_due(self, finished: bool) -> bool:
        if self._state.validated_step == self._state.step:
            return False
        return finished or _falls_on(self._state.step, self._config.validation.every_steps)

    def _checkpoint_due(self, finished: bool) -> bool:
        step = self._state.step
        if self._saved_step == step:
            return False
        due = _falls_on(step, self._config.checkpoints.every_steps)
        return finished or self._stopping or due or self._is_among_best()

    def _update(self, shares: Prefetch) -> None:
        parts, state, options = self._parts, self._state, self._config.training
        began = time.monotonic()
        share = shares.take()
        waited = time.monotonic() - began
        rate = learning_rate(state.step + 1, parts.model.config.d_model, options)
        made = update(
            parts.model, parts.optimizer, share, rate, options, self._exchange, self._meet
        )
        seconds = time.monotonic() - began
        self._position = share.position
        state.epoch, state.batch = share.position.epoch, share.position.batch
        if not made.applied:
            self._skip(made.loss, made.grad_norm)
            return
        state.step += 1
        state.skipped_in_a_row = 0
        self._write(
            "train",
            loss=made.loss,
            learning_rate=rate,
            grad_norm=made.grad_norm,
            tokens_per_second=round(made.tokens / seconds, 1),
            padding_saved=round(share.padding_saved, 4),
            waited=round(waited, 6),
        )
        self._progress.update(made, seconds, share.position.passes)

    def _skip(self, loss: float, grad_norm: float) -> None:
        state = self._state
        state.skipped += 1
        state.skipped_in_a_row += 1
        self._write(
            "skip",
            loss=_json_number(loss),
            grad_norm=_json_number(grad_norm),
            skipped=state.skipped,
        )
        if state.skipped_in_a_row >= self._config.training.max_skipped:
            raise UserError(
                f"{state.skipped_in_a_row} updates in a row after step {state.step} had a loss or "
                f"gradient norm that is not finite, the last one {loss} and {grad_norm}: "
                f"[training] max_skipped = {self._config.training.max_skipped}; lower the learning "
                "rate, lengthen warmup_steps or set clip_norm. Checkpoints up to here are in "
                f"{self._output}"
            )

    def _validate(self) -> None:
        result = self._parts.validator.validate(self._parts.model, lambda: self._stop.requested)
        self._meet()
        if result is None:
            return
        state = self._state
        state.validated_step = state.step
        finite = math.isfinite(result.loss)
        state.validated_loss, state.validated_bleu = (
            (result.loss, result.bleu) if finite else (None, None)
        )
        self._saved_step = None  # a checkpoint of this step would not know this validation
        better = self._is_best(result)
        state.worse_in_a_row = 0 if better else state.worse_in_a_row + 1
        if better:
            state.best_step = state.step
            state.best_loss, state.best_bleu = result.loss, result.bleu
        self._write(
            "valid",
            loss=_json_number(result.loss),
            perplexity=_json_number(result.perplexity),
            bleu=result.bleu,
            best=better,
            samples=[dataclasses.asdict(sample) for sample in result.samples],
        )
        self._progress.say(
            f"step {state.step:,}: validation loss {result.loss:.4f}, perplexity "
            f"{result.perplexity:.2f}, BLEU {result.bleu:.2f}{self._compared(better)}, "
            f"after {clock_time(state.seconds)}"
        )
        for sample in result.samples:
            self._progress.say(
                f"  source       {sample.source}\n"
                f"  reference    {sample.reference}\n"
                f"  translation  {sample.translation}\n"
            )

    def _compared(self, better: bool) -> str:
        if better:
            return " (best)"
        worse, patience = self._state.worse_in_a_row, self._config.validation.patience
        return f" ({worse} of {patience} without a better score)" if patience else ""

    def _is_best(self, result: Validation) -> bool:
        if not math.isfinite(result.loss):
            return False
        state, metric = self._state, self._config.validation.metric
        if state.best_loss is None or state.best_bleu is None:
            return True
        return result.rank(metric) > Validation(state.best_loss, state.best_bleu).rank(metric)

    def _is_among_best(self) -> bool:
        """Whether the model as it is was just validated, and belongs to the best to be kept."""
        state, metric = self._state, self._config.validation.metric
        scores = state.scores_at(state.step)
        if scores is None:
            return False
        better = shelf.count_better(self._output, state.step, Validation(*scores), metric)
        # Only the first process is sure to see what it wrote.
        return self._processes.gather(better)[0] < self._config.checkpoints.keep_best

    def _save(self) -> None:
        """Write a checkpoint; the model directory too, if this is the best model so far.

        ``last`` is changed when all else is there: were the process to end before, the run resumed
        from the previous checkpoint would reach this point again. The first checkpoint is there
        before the first model, so that a run can be resumed from it. Before the first validation
        the model directory follows the latest checkpoint.
        """
        self._state.log_lines = self._log.lines
        generators = self._processes.gather(torch.get_rng_state())
        if self._processes.first:
            try:
                self._write_checkpoint(generators)
            except (UserError, OSError) as error:
                message = f"cannot save step {self._state.step}: {error}"
                raise OutputError(message, error) from error
        self._saved_step = self._state.step
        self._meet()

    def _write_checkpoint(self, generators: Sequence[Tensor]) -> None:
        parts, state = self._parts, self._state
        self._log.flush()
        checkpoint.save(
            self._output, parts.model, parts.optimizer, state, parts.identity, generators
        )
        if state.best_step in (None, state.step):
            record = describe_model(parts.record, state)
            save_model(self._output / shelf.MODEL, parts.model, parts.tokenizer, record)
        checkpoint.link(self._output, state)
        keep, metric = self._config.checkpoints, self._config.validation.metric
        shelf.prune(self._output, keep.keep, keep.keep_best, metric)

    def _write(self, kind: str, **values: Any) -> None:
        seconds = round(self._state.seconds, 3)
        passes = round(self._position.passes, 4)
        self._log.write(kind, self._state.step, passes, seconds=seconds, **values)

    def _meet(self, number: float = 0.0) -> float:
        """The sum of a number over the processes, in the order of their ranks.

        The same message brings the clock up to date, and tells whether any of them was asked to
        stop.
        """
        own = [number, time.monotonic() - self._started, float(self._stop.signal or 0)]
        every = self._processes.gather_numbers(own)
        self._state.seconds = every[0][1]
        asked = [int(signal) for _, _, signal in every if signal]
        if asked and self._processes.size > 1:
            self._stop.follow(asked[0])
            self._agreed_to_stop = True
        return sum((part[0] for part in every), 0.0)


def _falls_on(step: int, every: int) -> bool:
    return every > 0 and step > 0 and step % every == 0


def _json_number(value: float) -> float | str:
    """JSON knows neither NaN nor infinity: they are written as strings."""
    return value if math.isfinite(value) else str(value)
