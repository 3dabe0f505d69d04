"""The processes that train one model together: which one this is, and what they tell each other.

``torchrun`` starts them and tells each its place in the environment; they talk by
``torch.distributed``, over gloo on CPUs and NCCL on GPUs. Every process makes the same calls in the
same order. A process alone needs none of it.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.rendezvous import rendezvous

from pytransformer.errors import UserError
from pytransformer.training.meeting import meet

T = TypeVar("T")


class Processes:
    """Those of a run.

    Attributes:
        rank: the place of this one, from 0; the first one writes what the run leaves.
        size: how many there are.
    """

    def __init__(self, rank: int = 0, size: int = 1, device: str = "cpu") -> None:
        self.rank = rank
        self.size = size
        self._device = device

    @property
    def first(self) -> bool:
        """Whether this is the one that writes."""
        return self.rank == 0

    def gather(self, value: T) -> list[T]:
        """What every process gave, by rank; anything that can be pickled, among ourselves."""
        if self.size == 1:
            return [value]
        values: list[Any] = [None] * self.size
        _worded(lambda: dist.all_gather_object(values, value))
        return values

    def gather_numbers(self, numbers: Sequence[float]) -> list[list[float]]:
        """The same for equally many numbers, float64, which takes less time."""
        if self.size == 1:
            return [list(numbers)]
        own = torch.tensor(numbers, dtype=torch.float64, device=self._device)
        every = [torch.empty_like(own) for _ in range(self.size)]
        _worded(lambda: dist.all_gather(every, own))
        return [one.tolist() for one in every]

    def begin_sum(self, tensor: Tensor) -> dist.Work:
        """Begin to replace ``tensor`` by its sum over the processes; ``wait`` ends it.

        The same number of processes adds in the same order each time.
        """
        work: dist.Work = _worded(lambda: dist.all_reduce(tensor, async_op=True))
        return work

    def wait(self, work: dist.Work) -> None:
        """Until what was begun is done."""
        _worded(work.wait)


@contextmanager
def join(device: str) -> Iterator[Processes]:
    """Meet the other processes that ``torchrun`` started, if it did, for the time of the block.

    Args:
        device: ``cpu``, or ``cuda``: each process of a machine then takes a GPU of its own.

    Raises:
        UserError: if the others cannot be reached.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield Processes()
        return
    # torch.optim imports it in any case. Imported while there is a group, it keeps the group, whose
    # threads then outlive Python: one exit in ten ends in "terminate called", as seen with 2.13.
    importlib.import_module("torch._dynamo")
    if device == "cuda":
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    _worded(lambda: _connect("nccl" if device == "cuda" else "gloo"))
    try:
        yield Processes(dist.get_rank(), dist.get_world_size(), device)
    finally:
        dist.destroy_process_group()


def _connect(backend: str) -> None:
    store, rank, size = next(rendezvous("env://"))
    dist.init_process_group(backend, store=meet(store, rank, size), rank=rank, world_size=size)


def _worded(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except (RuntimeError, ValueError) as error:
        first_line = str(error).strip().partition("\n")[0]
        raise UserError(
            f"another process of this run ended or cannot be reached ({first_line}); what it said "
            "itself tells why"
        ) from error
