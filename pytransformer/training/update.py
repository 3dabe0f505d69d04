"""One update of the parameters: forward, backward, clipping, the optimizer."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor

from pytransformer.model import Transformer
from pytransformer.training import schedule
from pytransformer.training.clipping import clip_gradients, gradient_norm
from pytransformer.training.config import TrainingOptions
from pytransformer.training.exchange import GradientExchange
from pytransformer.training.stream import Share


@dataclass(frozen=True)
class Update:
    """What one update did.

    Attributes:
        loss: mean over the predicted tokens, in nats, label smoothing included.
        grad_norm: the global norm before clipping.
        rate: the learning rate.
        tokens: source and target tokens learnt from.
        applied: False when the loss or the norm was not finite, and the parameters stayed.
    """

    loss: float
    grad_norm: float
    rate: float
    tokens: int
    applied: bool


def learning_rate(step: int, d_model: int, options: TrainingOptions) -> float:
    """The rate of update ``step``, which starts at 1."""
    if options.schedule == "paper":
        return schedule.paper(step, d_model, options.warmup_steps)
    if options.schedule == "linear":
        peak, warmup = options.learning_rate, options.warmup_steps
        return schedule.linear(step, peak, warmup, options.max_steps)
    return schedule.inverse_sqrt(step, options.learning_rate, options.warmup_steps)


def update(
    model: Transformer,
    optimizer: torch.optim.Optimizer,
    share: Share,
    rate: float,
    options: TrainingOptions,
    exchange: GradientExchange,
    total: Callable[[float], float],
) -> Update:
    """Learn from the batches of all processes as if they were one batch.

    A loss or gradient that is not finite leaves parameters and optimizer untouched, everywhere.

    Args:
        model: what learns.
        optimizer: over its parameters.
        share: the batches of this process.
        rate: the learning rate.
        options: how.
        exchange: gives every process the same gradients.
        total: the sum of a number over the processes, the same for every one.
    """
    optimizer.zero_grad(set_to_none=True)
    share = exchange.whole(share)
    losses = accumulate_gradients(model, share, options, exchange)
    exchange.finish()
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    norm = gradient_norm(gradients)
    # Read last: on a CUDA device it waits until all is done.
    loss = total(sum((part.item() for part in losses), 0.0))
    applied = math.isfinite(loss) and math.isfinite(norm)
    if applied:
        clip_gradients(gradients, norm, options.clip_norm)
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.step()
    return Update(loss, norm, rate, share.tokens, applied)


def accumulate_gradients(
    model: Transformer, share: Share, options: TrainingOptions, exchange: GradientExchange
) -> list[Tensor]:
    """Add the gradients of the mean loss over all predicted tokens of all batches.

    The sum of each batch is divided by the count of all, those of other processes included, so a
    long batch weighs more than a short one and the result is that of one big batch.

    Returns:
        What each batch adds to the mean loss: scalars on the model's device.
    """
    losses = []
    for batch in share.batches:
        src, tgt = batch.src.to(options.device), batch.tgt.to(options.device)
        with autocast(options):
            loss = model.loss(src, tgt, options.label_smoothing, reduction="sum")
            loss = loss / share.predicted
        last = batch is share.batches[-1]
        with exchange.overlapping() if last else nullcontext():
            loss.backward()
        losses.append(loss.detach())
    return losses


def autocast(options: TrainingOptions) -> AbstractContextManager[object]:
    """The arithmetic of ``precision``: float32 as it is, or bfloat16 under autocast."""
    if options.precision == "float32":
        return nullcontext()
    return torch.autocast(options.device, dtype=torch.bfloat16)
