"""A process that makes 50 updates in float64 and writes the parameters.

Arguments: DATA BPE_DROPOUT ACCUMULATE OUTPUT.
"""

from __future__ import annotations

import math
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

from pytransformer import Transformer, TransformerConfig
from pytransformer.data import ParallelDataset, TokenBatches, Tokenizer
from pytransformer.data.bpe_dropout import BpeDropout
from pytransformer.training.config import TrainingOptions
from pytransformer.training.exchange import GradientExchange
from pytransformer.training.optimizer import create_optimizer
from pytransformer.training.processes import join
from pytransformer.training.stream import BatchStream
from pytransformer.training.update import Update, update


def main(data: str, dropout: float, accumulate: int, output: str) -> None:
    options = TrainingOptions(output="unused", accumulate=accumulate, clip_norm=1.0)
    torch.manual_seed(1)
    with join("cpu") as processes:
        dataset = ParallelDataset(data)
        config = TransformerConfig.preset(
            "tiny", vocab_size=dataset.vocab_size, d_model=16, heads=2, ff=32, dropout=0.0
        )
        model = Transformer(config).double()
        optimizer = create_optimizer(model, options)
        # Buckets of a few parameters each.
        exchange = GradientExchange(list(model.parameters()), processes, bucket_bytes=4096)
        bpe_dropout = BpeDropout(Tokenizer.load(data), dropout) if dropout else None
        batches = TokenBatches(dataset, 300, seed=1, bpe_dropout=bpe_dropout)
        stream = BatchStream(batches, 0, 0, processes.rank, processes.size)

        def learn() -> Update:
            share = stream.take(accumulate)
            return update(model, optimizer, share, 1e-3, options, exchange, total)

        def total(number: float) -> float:
            return sum(processes.gather(number))

        losses = [learn().loss for _ in range(50)]
        assert processes.gather(losses) == [losses] * processes.size
        # What is not finite in one process changes nothing in any.
        if processes.rank == processes.size - 1:
            model.embedding.register_hook(lambda gradient: gradient * math.nan)
        before = model.embedding.detach().clone()
        lost = learn()
        assert not lost.applied
        assert math.isfinite(lost.loss)
        assert torch.equal(model.embedding, before)
        state = {name: value.contiguous() for name, value in model.state_dict().items()}
        for other in processes.gather(state):
            assert all(torch.equal(other[name], value) for name, value in state.items())
        if processes.first:
            save_file({**state, "losses": torch.tensor(losses)}, Path(output))


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
