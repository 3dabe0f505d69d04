"""A store that only the processes alive now use, within one that remembers those before them.

``torchrun`` keeps one store through its restarts (https://github.com/pytorch/pytorch/issues/135712):
processes that were started again would look for each other where the dead ones were. Nor do the
agents of several machines count restarts alike. So the first process names a place of its own and
tells it to each of the others, by a key that nobody used before.
"""

from __future__ import annotations

import secrets
import time

import torch.distributed as dist

_SECONDS = 1800.0  # as long as torch waits for a process
_PAUSE = 0.01


def meet(store: dist.Store, rank: int, size: int) -> dist.Store:
    """The part of ``store`` that is ours, the same in every process.

    Args:
        store: which all of them reach.
        rank: the place of this process, from 0.
        size: how many there are.

    Raises:
        RuntimeError: if not all come within half an hour.
    """
    own = secrets.token_hex(8)
    if rank == 0:
        _tell_others(store, own, size)
        return dist.PrefixStore(own, store)
    store.set(f"asking/{rank}", own)
    place = store.get(own).decode()
    store.set(f"{place}/told/{rank}", "")
    return dist.PrefixStore(place, store)


def _tell_others(store: dist.Store, place: str, size: int) -> None:
    """Answer whoever asks, until all have heard it: the first that asked may have died before."""
    end = time.monotonic() + _SECONDS
    waiting = set(range(1, size))
    while waiting:
        for rank in waiting:
            if store.check([f"asking/{rank}"]):
                store.set(store.get(f"asking/{rank}").decode(), place)
        waiting = {rank for rank in waiting if not store.check([f"{place}/told/{rank}"])}
        if waiting and time.monotonic() > end:
            raise RuntimeError(f"process {min(waiting)} did not come")
        time.sleep(_PAUSE)
