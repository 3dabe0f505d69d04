"""Whether the loss and the gradients of a training step are right, before it is timed."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from pytransformer import Packed, Transformer, TransformerConfig
from tests.cases.compare import assert_close
from tests.cases.torch_model import TorchModel

SMOOTHING = 0.1


def check(config: TransformerConfig, src: Packed, tgt: Packed, dtype: torch.dtype) -> None:
    """Hold a model without dropout against torch.nn in float64.

    Under bfloat16 autocast a gradient has no bound of its own; all of them together may be off by
    twice as much as those of torch.nn are under the same autocast.
    """
    # relu's slope at 0 is decided by rounding, and among a million units some lie there.
    still = replace(
        config, dropout=0.0, attention_dropout=0.0, activation_dropout=0.0, activation="silu"
    )
    torch.manual_seed(1)
    device = src.values.device
    model = Transformer(still).to(device)
    with device:
        oracle = TorchModel(copy.deepcopy(model).double())
    expected = oracle.loss(src, tgt, SMOOTHING)
    expected.backward()
    wanted = oracle.gradients()
    with torch.autocast(device.type, torch.bfloat16, enabled=dtype == torch.bfloat16):
        loss = model.loss(src, tgt, SMOOTHING)
    loss.backward()
    assert_close(
        loss.detach(), expected.detach(), length=config.vocab_size, name="loss", dtype=dtype
    )
    found = {name: _gradient(parameter) for name, parameter in model.named_parameters()}
    if dtype == torch.float32:
        for name, gradient in found.items():
            assert_close(gradient, wanted[name], length=config.vocab_size, name=name)
        return
    with device, torch.autocast(device.type, torch.bfloat16):
        peer = TorchModel(model)
        theirs = peer.loss(src, tgt, SMOOTHING)
    theirs.backward()
    off, allowed = _distance(found, wanted), 2.0 * _distance(peer.gradients(), wanted)
    assert off <= allowed, f"the gradients are off by {off}, more than {allowed}"


def _gradient(parameter: Tensor) -> Tensor:
    assert parameter.grad is not None
    return parameter.grad


def _distance(found: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> float:
    """The norm of the difference of all gradients; NaN where one is not finite."""
    squares = [(found[name].double() - exact).square().sum() for name, exact in wanted.items()]
    return float(torch.stack(squares).sum().sqrt())
