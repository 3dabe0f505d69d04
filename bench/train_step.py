"""A whole training step: forward, loss, backward, Adam; against torch.nn.Transformer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from bench.case import COMPILED, CPU, OURS, TORCH, Case, compile_for
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
PRESETS_ON_CUDA = ("base", "big")


@dataclass(frozen=True)
class Data:
    """Random pairs: how many, of how many tokens on each side, out of how many."""

    sentences: int = SENTENCES
    lengths: tuple[int, int] = LENGTHS
    vocabulary: int = VOCABULARY


DATA_ON_CUDA = Data(512, (10, 60), 32_000)


def cases() -> Iterator[Case]:
    """Every preset in float32 and under bfloat16 autocast; then without padding and dropout."""
    for dtype in (torch.float32, torch.bfloat16):
        for preset in PRESETS:
            yield case(preset, dtype)
    yield from even_cases()
    yield case("tiny", torch.float32, data=Data(4))


def cases_on_cuda() -> Iterator[Case]:
    """The paper's two models under bfloat16 autocast, a batch of some 18,000 tokens a side."""
    for preset in PRESETS_ON_CUDA:
        yield case(preset, torch.bfloat16, data=DATA_ON_CUDA, device=torch.device("cuda"))


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
    data: Data | None = None,
    even: bool = False,
    dropout: float = DROPOUT,
    device: torch.device = CPU,
) -> Case:
    """One step over pairs of ragged (or even) lengths."""
    data = data or Data()
    config = config_of(preset, dropout, data.vocabulary)
    src, tgt = batch(data, even, device)
    name = f"{preset}, {data.sentences} sentences"
    return Case(
        name=f"{name}, even, no dropout" if even else name,
        dtype=dtype,
        mode="forward+backward",
        sides={side: step(side, config, src, tgt, dtype) for side in (OURS, TORCH)},
        compiled=lambda: step(COMPILED, config, src, tgt, dtype),
        check=lambda: check(
            config, *batch(replace(data, sentences=CHECKED_SENTENCES), even, device), dtype
        ),
        operations=operations(config, src, tgt),
        device=device,
        whole=True,
    )


@dataclass(frozen=True)
class Step:
    """What is done over and over in training, with the same batch."""

    loss: Callable[[], Tensor]
    optimizer: torch.optim.Optimizer
    dtype: torch.dtype
    device: torch.device

    def __call__(self) -> None:
        self.gradients()
        self.optimizer.step()

    def gradients(self) -> None:
        """All but the update."""
        self.optimizer.zero_grad()
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.dtype == torch.bfloat16):
            loss = self.loss()
        loss.backward()


def step(
    side: str, config: TransformerConfig, src: Packed, tgt: Packed, dtype: torch.dtype
) -> Step:
    """The step of one side, with a model of its own where the batch is."""
    torch.manual_seed(1)
    device = src.values.device
    if side == OURS:
        ours = Transformer(config).to(device)
        return Step(lambda: ours.loss(src, tgt), adam(ours), dtype, device)
    theirs, padded = TorchTransformer(config).to(device), PaddedBatch(src, tgt)
    loss = compile_for(theirs) if side == COMPILED else theirs
    return Step(lambda: loss(padded), adam(theirs), dtype, device)


def config_of(preset: str, dropout: float, vocabulary: int = VOCABULARY) -> TransformerConfig:
    """A preset with one rate of dropout everywhere."""
    return replace(
        TransformerConfig.preset(preset, vocab_size=vocabulary),
        dropout=dropout,
        attention_dropout=dropout,
        activation_dropout=dropout,
    )


def batch(data: Data, even: bool, device: torch.device = CPU) -> tuple[Packed, Packed]:
    """Sources of the lengths of ``data``, targets of as many tokens to predict."""
    generator = torch.Generator().manual_seed(1)
    shortest, longest = data.lengths

    def side(extra: int) -> Packed:
        lengths = torch.randint(shortest, longest + 1, (data.sentences,), generator=generator)
        if even:
            lengths.fill_(EVEN_LENGTH)
        return pack(
            [
                torch.randint(2, data.vocabulary - 1, (int(length) + extra,), generator=generator)
                for length in lengths
            ]
        ).to(device)

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


def adam(model: nn.Module) -> torch.optim.Optimizer:
    """The update of every side."""
    return torch.optim.Adam(model.parameters(), lr=1e-4, betas=(0.9, 0.98), eps=1e-9, fused=True)
