"""Recipes: each is a whole configuration that makes an update, and its commands can be given."""

from __future__ import annotations

import math
import shlex
from pathlib import Path

import pytest
import torch

from pytransformer import Transformer, recipes
from pytransformer.cli.main import build_parser
from pytransformer.data import ParallelDataset, TokenBatches
from pytransformer.training import TrainingConfig
from pytransformer.training.config import change
from pytransformer.training.exchange import GradientExchange
from pytransformer.training.optimizer import create_optimizer
from pytransformer.training.processes import Processes
from pytransformer.training.stream import BatchStream
from pytransformer.training.update import learning_rate, update
from tests.cases.device import cpu_only

NAMES = recipes.names()


def configured(name: str, directory: str = "data") -> TrainingConfig:
    places = [f"data.directory={directory}", "training.output=run"]
    return change(recipes.read(name), places, name)


def test_those_that_are_promised_are_there() -> None:
    assert {
        "demo", "multi30k-en-de", "multi30k-de-en", "multi30k-en-de-tok", "iwslt14-de-en",
        "wmt14-en-de-base", "wmt14-en-de-big", "wmt14-en-fr-big",
    } <= set(NAMES)  # fmt: skip


@cpu_only  # where the recipes train unless they are told otherwise
@pytest.mark.parametrize("name", NAMES)
def test_it_makes_an_update(name: str, data: Path) -> None:
    chosen = configured(name, str(data))
    options = chosen.training
    dataset = ParallelDataset(data)
    torch.manual_seed(1)
    config = chosen.model.transformer_config(dataset.vocab_size)
    model = Transformer(config)
    before = model.embedding.detach().clone()
    share = BatchStream(TokenBatches(dataset, 300, seed=1), 0, 0).take(options.accumulate)
    rate = learning_rate(1, config.d_model, options)
    exchange = GradientExchange(list(model.parameters()), Processes())
    made = update(model, create_optimizer(model, options), share, rate, options, exchange, float)
    assert made.applied
    assert rate > 0
    # Nothing is known yet: about as likely as any other of the pieces.
    assert made.loss == pytest.approx(math.log(dataset.vocab_size), rel=0.5)
    assert not torch.equal(model.embedding, before)


@pytest.mark.parametrize("name", NAMES)
def test_its_commands_can_be_given(name: str) -> None:
    about = recipes.about(name)
    for line in about.commands:
        program, *arguments = shlex.split(line)
        assert program == "pytransformer"
        build_parser(arguments).parse_args(arguments)  # ends the process where it is wrong
    assert about.summary
    assert about.text
    assert about.score


@pytest.mark.parametrize("name", NAMES)
def test_what_is_averaged_is_kept(name: str) -> None:
    kept = configured(name).checkpoints.keep
    for line in recipes.about(name).commands:
        words = shlex.split(line)
        if words[1] == "average":
            assert kept == int(words[words.index("--last") + 1])


@pytest.mark.parametrize(
    ("name", "d_model", "ff", "heads", "dropout", "steps"),
    [
        ("wmt14-en-de-base", 512, 2048, 8, 0.1, 100_000),
        ("wmt14-en-de-big", 1024, 4096, 16, 0.3, 300_000),
        ("wmt14-en-fr-big", 1024, 4096, 16, 0.1, 300_000),
    ],
)
def test_the_papers_models(
    name: str, d_model: int, ff: int, heads: int, dropout: float, steps: int
) -> None:
    """Table 3, and section 5: batch, Adam, warm-up, label smoothing."""
    chosen = configured(name)
    model, training = chosen.model.transformer_config(37_001), chosen.training
    assert (model.d_model, model.ff, model.heads, model.dropout) == (d_model, ff, heads, dropout)
    assert (model.encoder_layers, model.decoder_layers) == (6, 6)
    assert chosen.data.batch_tokens * training.accumulate == 50_000
    assert (training.schedule, training.warmup_steps, training.max_steps) == ("paper", 4000, steps)
    assert (training.adam_betas, training.adam_eps) == ((0.9, 0.98), 1e-9)
    assert training.label_smoothing == 0.1
