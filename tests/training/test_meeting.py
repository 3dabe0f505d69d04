"""Processes that were started again meet each other, not those that died."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch.distributed as dist

from pytransformer.training import meeting
from pytransformer.training.meeting import meet


def test_the_living_meet() -> None:
    store, size = dist.HashStore(), 3
    for _ in range(3):
        store.set("asking/2", "what one that died asked")
        with ThreadPoolExecutor(size) as threads:
            found = list(threads.map(lambda rank: meet(store, rank, size), range(size)))
        assert not any(place.check(["greeting"]) for place in found)
        found[0].set("greeting", "hello")
        assert [place.get("greeting") for place in found] == [b"hello"] * size


def test_who_does_not_come_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meeting, "_SECONDS", 0.1)
    store = dist.HashStore()
    store.set("asking/1", "what one that died asked")
    with pytest.raises(RuntimeError, match="process 1 did not come"):
        meet(store, 0, 2)
