"""Gradients summed over processes while backward still computes others.

Parameters go into buckets in the reverse of their order, which is about the order in which backward
reaches them. A bucket is sent once all its gradients are there and all buckets before it were sent:
the buckets, and with them every sum's order, follow from the model alone. (torch's
DistributedDataParallel cuts its buckets anew after the first step of a process, so that a resumed
run adds in another order than one that was never stopped.)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import torch
import torch.distributed as dist
from torch import Tensor, nn

from pytransformer.training.processes import Processes
from pytransformer.training.stream import Share

_BUCKET_BYTES = 4 << 20


class _Bucket:
    def __init__(self, parameters: Sequence[nn.Parameter]) -> None:
        first = parameters[0]
        count = sum(parameter.numel() for parameter in parameters)
        self.parameters = parameters
        self.missing = 0  # gradients that backward has not computed yet
        self.sum = torch.empty(count, dtype=first.dtype, device=first.device)
        parts = self.sum.split([parameter.numel() for parameter in parameters])
        self.parts = [
            part.view_as(parameter) for part, parameter in zip(parts, parameters, strict=True)
        ]

    def fill(self) -> None:
        """From the gradients; zeros for those that this process has none of."""
        for part, parameter in zip(self.parts, self.parameters, strict=True):
            if parameter.grad is None:
                part.zero_()
            else:
                part.copy_(parameter.grad)
                parameter.grad = part


class GradientExchange:
    """Gives every process the sum of all gradients; nothing to do for one alone."""

    def __init__(
        self,
        parameters: Sequence[nn.Parameter],
        processes: Processes,
        bucket_bytes: int = _BUCKET_BYTES,
    ) -> None:
        """Cut the buckets.

        Args:
            parameters: of one dtype, on one device, in the same order in every process.
            processes: those that take part.
            bucket_bytes: what a bucket holds at least, but for the last one.
        """
        self._processes = processes
        self._listening = False
        self._sent: list[dist.Work] = []
        self._buckets: list[_Bucket] = []
        self._bucket_of: dict[nn.Parameter, _Bucket] = {}
        if processes.size == 1:
            return
        for members in _cut(parameters, bucket_bytes):
            bucket = _Bucket(members)
            self._buckets.append(bucket)
            for parameter in members:
                self._bucket_of[parameter] = bucket
                parameter.register_post_accumulate_grad_hook(self._ready)

    @contextmanager
    def overlapping(self) -> Iterator[None]:
        """Around the last backward of an update: buckets are sent as they become whole."""
        for bucket in self._buckets:
            bucket.missing = len(bucket.parameters)
        self._sent = []
        self._listening = True
        try:
            yield
        finally:
            self._listening = False

    def finish(self) -> None:
        """Send what is left and wait: gradients are the sums from here on."""
        while len(self._sent) < len(self._buckets):
            self._send()
        for work in self._sent:
            self._processes.wait(work)
        self._sent = []  # what is kept of it keeps the connections, which end before Python does

    def whole(self, share: Share) -> Share:
        """``share`` with the counts of all processes, where it has only its own."""
        if share.of_all:
            return share
        every = self._processes.gather_numbers([share.predicted, share.tokens])
        predicted, tokens = (int(sum(part)) for part in zip(*every, strict=True))
        return replace(share, predicted=predicted, tokens=tokens, of_all=True)

    def _ready(self, parameter: Tensor) -> None:
        if not self._listening:
            return
        assert isinstance(parameter, nn.Parameter)
        self._bucket_of[parameter].missing -= 1
        while len(self._sent) < len(self._buckets):
            if self._buckets[len(self._sent)].missing > 0:
                return
            self._send()

    def _send(self) -> None:
        bucket = self._buckets[len(self._sent)]
        bucket.fill()
        self._sent.append(self._processes.begin_sum(bucket.sum))


def _cut(parameters: Sequence[nn.Parameter], bucket_bytes: int) -> Iterator[list[nn.Parameter]]:
    members: list[nn.Parameter] = []
    size = 0
    for parameter in reversed(parameters):
        members.append(parameter)
        size += parameter.numel() * parameter.element_size()
        if size >= bucket_bytes:
            yield members
            members, size = [], 0
    if members:
        yield members
