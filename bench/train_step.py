"""A whole training step: forward, loss, backward, Adam; against torch.nn.Transformer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from bench.case import COMPILED, OURS, TORCH, Case, compile_for
from bench.row import Row
from bench.settings import Settings
from bench.step_check import check
from bench.tcmalloc import rows_with_tcmalloc
from bench.torch_transformer import PaddedBatch, TorchTransformer
from pytransformer import Packed, Transformer, TransformerConfig, pack

VOCABULARY = 10_000
SENTENCES = 64
LENGTHS = (12, 24)
EVEN_LENGTH = 18
DROPOUT = 0.1
CHECKED_SENTENCES = 4
PRESETS = ("tiny", "small", "base")


def cases() -> Iterator[Case]:
    """Every preset in float32 and under bfloat16 autocast; then without padding and dropout."""
    for dtype in (torch.float32, torch.bfloat16):
        for preset in PRESETS:
            yield case(preset, dtype)
    yield from even_cases()
    yield case("tiny", torch.float32, sentences=4)


def even_cases() -> Iterator[Case]:
    """Nothing that torch pays for and we do not: neither padding nor dropout."""
    for preset in PRESETS:
        yield case(preset, torch.float32, even=True, dropout=0.0)


def rows_of_other_processes(settings: Settings) -> Iterator[Row]:
    """The even cases again, both sides with tcmalloc."""
    return rows_with_tcmalloc("train_step", "even_cases", settings)


def case(
    preset: str,
    dtype: torch.dtype,
    *,
    sentences: int = SENTENCES,
    even: bool = False,
    dropout: float = DROPOUT,
) -> Case:
    """One step over ``sentences`` pairs of ragged (or even) lengths."""
    config = config_of(preset, dropout)
    src, tgt = batch(sentences, even)
    name = f"{preset}, {sentences} sentences"
    return Case(
        name=f"{name}, even, no dropout" if even else name,
        dtype=dtype,
        mode="forward+backward",
        sides={side: step(side, config, src, tgt, dtype) for side in (OURS, TORCH)},
        compiled=lambda: step(COMPILED, config, src, tgt, dtype),
        check=lambda: check(config, *batch(CHECKED_SENTENCES, even), dtype),
        operations=operations(config, src, tgt),
    )


@dataclass(frozen=True)
class Step:
    """What is done over and over in training, with the same batch."""

    loss: Callable[[], Tensor]
    optimizer: torch.optim.Optimizer
    dtype: torch.dtype

    def __call__(self) -> None:
        self.gradients()
        self.optimizer.step()

    def gradients(self) -> None:
        """All but the update."""
        self.optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=self.dtype == torch.bfloat16):
            loss = self.loss()
        loss.backward()


def step(
    side: str, config: TransformerConfig, src: Packed, tgt: Packed, dtype: torch.dtype
) -> Step:
    """The step of one side, with a model of its own."""
    torch.manual_seed(1)
    if side == OURS:
        ours = Transformer(config)
        return Step(lambda: ours.loss(src, tgt), _adam(ours), dtype)
    theirs, padded = TorchTransformer(config), PaddedBatch(src, tgt)
    loss = compile_for(theirs) if side == COMPILED else theirs
    return Step(lambda: loss(padded), _adam(theirs), dtype)


def config_of(preset: str, dropout: float) -> TransformerConfig:
    """A preset with one rate of dropout everywhere."""
    return replace(
        TransformerConfig.preset(preset, vocab_size=VOCABULARY),
        dropout=dropout,
        attention_dropout=dropout,
        activation_dropout=dropout,
    )


def batch(sentences: int, even: bool) -> tuple[Packed, Packed]:
    """Random pairs: sources of ``LENGTHS`` tokens, targets of as many to predict."""
    generator = torch.Generator().manual_seed(1)

    def side(extra: int) -> Packed:
        lengths = torch.randint(LENGTHS[0], LENGTHS[1] + 1, (sentences,), generator=generator)
        if even:
            lengths.fill_(EVEN_LENGTH)
        return pack(
            [
                torch.randint(2, VOCABULARY - 1, (int(length) + extra,), generator=generator)
                for length in lengths
            ]
        )

    return side(0), side(1)


def operations(config: TransformerConfig, src: Packed, tgt: Packed) -> float:
    """Floating-point operations of the products, forward and backward."""
    d, ff = config.d_model, config.ff
    rows_s, lengths_s = src.values.shape[0], src.lengths.double()
    lengths_t = tgt.lengths.double() - 1
    rows_t = float(lengths_t.sum())
    encoder = config.encoder_layers * rows_s * (4 * d * d + 2 * d * ff)
    decoder = config.decoder_layers * (rows_t * (6 * d * d + 2 * d * ff) + rows_s * 2 * d * d)
    output = rows_t * d * (config.vocab_size - 1)
    pairs = (
        config.encoder_layers * lengths_s.square().sum()
        + config.decoder_layers * (lengths_t * (lengths_t + 1) / 2 + lengths_t * lengths_s).sum()
    )
    # A linear layer is one product forward and two backward, attention two and five.
    return 2.0 * (3.0 * (encoder + decoder + output) + 7.0 * d * float(pairs))


def _adam(model: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.Adam(model.parameters(), lr=1e-4, betas=(0.9, 0.98), eps=1e-9, fused=True)
