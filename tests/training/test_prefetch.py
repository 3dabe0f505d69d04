"""Batches made ahead are those of the stream, and an error in one is raised in its turn."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
import torch

from pytransformer.data import ParallelDataset, TokenBatches
from pytransformer.training.prefetch import Prefetch
from pytransformer.training.stream import BatchStream


def test_it_gives_what_the_stream_gives(data: Path) -> None:
    batches = TokenBatches(ParallelDataset(data), 300, seed=1)
    alone = BatchStream(batches, 0, 3)
    with Prefetch(BatchStream(batches, 0, 3), 2) as ahead:
        for _ in range(batches.batches_per_epoch(0)):  # across the end of a pass
            expected, found = alone.take(2), ahead.take()
            assert found.position == expected.position == alone.position
            assert (found.predicted, found.tokens) == (expected.predicted, expected.tokens)
            for one, other in zip(found.batches, expected.batches, strict=True):
                assert torch.equal(one.tgt.values, other.tgt.values)
    assert "batches" not in " ".join(thread.name for thread in threading.enumerate())


def test_an_error_is_raised_where_its_share_is_taken(data: Path) -> None:
    batches = TokenBatches(ParallelDataset(data), 300, seed=1)
    stream = BatchStream(batches, 0, 0)
    make = batches.batch

    def fail_at_third(pairs, epoch):
        if stream.position.batch == 3:
            raise OSError("the disk is gone")
        return make(pairs, epoch)

    batches.batch = fail_at_third
    with Prefetch(stream, 1) as ahead:
        assert [ahead.take().position.batch for _ in range(2)] == [1, 2]
        with pytest.raises(OSError, match="the disk is gone"):
            ahead.take()


def test_leaving_does_not_make_what_nobody_takes(data: Path) -> None:
    batches = TokenBatches(ParallelDataset(data), 300, seed=1)
    hold, begun = threading.Event(), []
    make = batches.batch

    def slowly(pairs, epoch):
        begun.append(epoch)
        hold.wait(10)
        return make(pairs, epoch)

    batches.batch = slowly
    with Prefetch(BatchStream(batches, 0, 0), 1):
        threading.Timer(0.2, hold.set).start()
    assert len(begun) <= 2
