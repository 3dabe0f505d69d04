"""Batches take every pair once, stay within their size, and can be taken up anywhere."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pytransformer.data import Batch, ParallelDataset, TokenBatches


class Pairs:
    """Stands for a data set: random ids, lengths as given."""

    def __init__(self, source_lengths, target_lengths, vocab_size: int = 50) -> None:
        random = np.random.default_rng(3)
        self.vocab_size = vocab_size
        for side, lengths in (("source", source_lengths), ("target", target_lengths)):
            lengths = np.asarray(lengths, np.int64)
            tokens = random.integers(2, vocab_size - 1, lengths.sum()).astype(np.uint16)
            setattr(self, f"{side}_lengths", lengths)
            setattr(self, f"{side}_tokens", tokens)
            setattr(self, f"{side}_offsets", np.concatenate(([0], lengths.cumsum())))

    source = ParallelDataset.source
    target = ParallelDataset.target
    gather = ParallelDataset.gather
    _gathered = 0
    pairs_of_epoch = ParallelDataset.pairs_of_epoch

    def __len__(self) -> int:
        return len(self.source_lengths)


def random_pairs(count: int = 3000) -> Pairs:
    random = np.random.default_rng(1)
    return Pairs(random.geometric(0.1, count), random.geometric(0.08, count))


def same(one: Batch, other: Batch) -> bool:
    return (
        torch.equal(one.src.values, other.src.values)
        and torch.equal(one.src.cu_seqlens, other.src.cu_seqlens)
        and torch.equal(one.tgt.values, other.tgt.values)
        and torch.equal(one.tgt.cu_seqlens, other.tgt.cu_seqlens)
    )


@settings(deadline=None, max_examples=60)
@given(
    lengths=st.lists(st.tuples(st.integers(1, 30), st.integers(1, 30)), max_size=60),
    batch_tokens=st.integers(1, 200),
    epoch=st.integers(0, 3),
    shuffle=st.booleans(),
)
def test_every_pair_comes_once_in_batches_within_the_size(
    lengths, batch_tokens: int, epoch: int, shuffle: bool
) -> None:
    pairs = Pairs([s for s, _ in lengths], [t for _, t in lengths])
    batches = TokenBatches(pairs, batch_tokens, seed=1, shuffle=shuffle)
    plan = batches.plan(epoch)
    seen = [plan.pairs(position) for position in range(len(plan))]
    assert sorted(np.concatenate([*seen, []]).tolist()) == list(range(len(lengths)))
    for indices, batch in zip(seen, batches.epoch(epoch), strict=True):
        assert len(indices) == len(batch.src) == len(batch.tgt) >= 1
        assert batch.tokens_source + batch.tokens_target <= batch_tokens or len(indices) == 1


def test_a_batch_holds_its_sentences_between_start_and_end() -> None:
    pairs = Pairs([3, 1, 5], [2, 4, 1])
    (batch,) = TokenBatches(pairs, 1000, seed=0, shuffle=False).epoch(0)
    for index, (source, target) in enumerate(
        zip(batch.src.unpack(), batch.tgt.unpack(), strict=True)
    ):
        assert source.tolist() == [*pairs.source(index), 0]
        assert target.tolist() == [49, *pairs.target(index), 0]
    for packed, longest in ((batch.src, 6), (batch.tgt, 6)):
        assert packed.values.dtype == torch.int64
        assert packed.cu_seqlens.dtype == torch.int32
        assert packed.max_seqlen == longest == int(packed.lengths.max())
    assert batch.tokens_source == 3 + 1 + 5 + 3
    assert batch.tokens_target == 2 + 4 + 1 + 3


def test_empty_sentences_are_possible() -> None:
    (batch,) = TokenBatches(Pairs([0, 2], [0, 0]), 100, seed=0, shuffle=False).epoch(0)
    assert batch.src.lengths.tolist() == [1, 3]
    assert batch.tgt.values.tolist() == [49, 0, 49, 0]


def test_an_epoch_can_be_taken_up_at_any_batch() -> None:
    pairs = random_pairs()
    whole = list(TokenBatches(pairs, 500, seed=5).epoch(2))
    for start in (0, 1, len(whole) // 2, len(whole)):
        rest = list(TokenBatches(pairs, 500, seed=5).epoch(2, start=start))
        assert len(rest) == len(whole) - start
        assert all(map(same, rest, whole[start:]))


def test_epochs_and_seeds_differ() -> None:
    pairs = random_pairs()
    batches = TokenBatches(pairs, 500, seed=5)
    first = batches.plan(0)
    for other in (batches.plan(1), TokenBatches(pairs, 500, seed=6).plan(0)):
        assert not np.array_equal(first.order, other.order)
        together = {tuple(sorted(first.pairs(position))) for position in range(len(first))}
        again = {tuple(sorted(other.pairs(position))) for position in range(len(other))}
        assert len(together & again) < len(together) / 10
    np.testing.assert_array_equal(first.order, batches.plan(0).order)


def test_the_order_is_fixed_for_all_time() -> None:
    """A resumed run must find the batches of its first half, whatever has been updated since."""
    plan = TokenBatches(Pairs([3, 1, 4, 1, 5, 9, 2, 6], [2, 7, 1, 8, 2, 8, 1, 8]), 20, seed=1).plan(
        1
    )
    assert plan.order.tolist() == [6, 0, 2, 4, 1, 3, 7, 5]
    assert plan.sequence.tolist() == [4, 2, 3, 1, 0]


def test_pairs_of_like_length_go_together() -> None:
    pairs = random_pairs(20_000)
    cost = pairs.source_lengths + pairs.target_lengths
    plan = TokenBatches(pairs, 1000, seed=0).plan(0)
    spread = np.mean([np.ptp(cost[plan.pairs(position)]) for position in range(len(plan))])
    assert spread < np.ptp(cost) / 20
    # Long and short batches come mixed.
    longest = np.array([cost[plan.pairs(position)].max() for position in range(len(plan))])
    assert abs(np.corrcoef(longest[1:], longest[:-1])[0, 1]) < 0.1


def test_batches_are_well_filled() -> None:
    pairs = random_pairs(20_000)
    batches = TokenBatches(pairs, 1000, seed=0)
    total = int((pairs.source_lengths + pairs.target_lengths + 2).sum())
    assert batches.batches_per_epoch(0) < 1.05 * total / 1000
    assert batches.batches_per_epoch(0) == len(list(batches.epoch(0)))


def test_without_shuffling_the_order_is_that_of_the_data() -> None:
    pairs = random_pairs(200)
    batches = TokenBatches(pairs, 300, seed=0, shuffle=False)
    for epoch in (0, 1):
        plan = batches.plan(epoch)
        order = np.concatenate([plan.pairs(position) for position in range(len(plan))])
        np.testing.assert_array_equal(order, np.arange(200))


def test_a_pair_that_is_too_long_makes_its_own_batch() -> None:
    pairs = Pairs([3, 100, 3], [3, 100, 3])
    sizes = sorted(len(batch.src) for batch in TokenBatches(pairs, 20, seed=0).epoch(0))
    assert sizes == [1, 2]
    sizes = [len(batch.src) for batch in TokenBatches(pairs, 20, 0, shuffle=False).epoch(0)]
    assert sizes == [1, 1, 1]


def test_no_pairs_make_no_batches() -> None:
    assert list(TokenBatches(Pairs([], []), 20, seed=0).epoch(0)) == []


def test_prepared_data_makes_batches(tmp_path: Path) -> None:
    from pytransformer.data import Tokenizer, prepare

    (tmp_path / "a").write_text("one two\nthree\n" * 20)
    (tmp_path / "b").write_text("eins zwei\ndrei\n" * 20)
    prepare(tmp_path / "a", tmp_path / "b", tmp_path / "data", vocab_size=22)
    tokenizer = Tokenizer.load(tmp_path / "data")
    (batch,) = TokenBatches(ParallelDataset(tmp_path / "data"), 10_000, 0, shuffle=False).epoch(0)
    targets = tokenizer.decode([row.tolist() for row in batch.tgt.unpack()])
    assert targets == ["eins zwei", "drei"] * 19
    assert batch.tgt.values[0] == tokenizer.pad_id


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda p: TokenBatches(p, 0, 1), "batch_tokens = 0"),
        (lambda p: TokenBatches(p, 1, -1), "seed = -1"),
        (lambda p: TokenBatches(p, 1, 1).plan(-1), "epoch = -1"),
        (lambda p: TokenBatches(p, 1, 1).epoch(0, start=3), "start = 3: epoch 0 has 2 batches"),
        (lambda p: TokenBatches(p, 1, 1).epoch(0, start=-1), "start = -1"),
    ],
)
def test_wrong_arguments_are_named(call, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call(Pairs([1, 2], [1, 2]))
