"""Looking inside a model: what the decoder attended to."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import Tensor, nn

from pytransformer import ops
from pytransformer.model import Transformer
from pytransformer.nn import CrossAttention
from pytransformer.packed import Packed


@torch.no_grad()
def cross_attention_weights(model: Transformer, src: Packed, tgt: Packed) -> Tensor:
    """The weights with which each target position attends to the source (section 3.2.2).

    The sentence runs through the model as in training; each cross-attention module is observed as
    it is called.

    Args:
        model: in eval mode.
        src: one sentence of int64 tokens, ending in ``</s>``.
        tgt: one sentence of int64 tokens, beginning with BOS. Row ``i`` of the result belongs to
            the position that reads token ``i`` and predicts token ``i + 1``.

    Returns:
        float32 ``[layers, heads, target rows, source rows]``; the last dimension sums to 1.

    Raises:
        ValueError: unless src and tgt hold one sentence each and the decoder has layers.
    """
    for name, packed in (("src", src), ("tgt", tgt)):
        if len(packed) != 1:
            raise ValueError(f"{name} holds {len(packed)} sentences: must be 1")
    weights: list[Tensor] = []

    def observe(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        assert isinstance(module, CrossAttention)
        given = inspect.signature(module.forward).bind(*args, **kwargs).arguments
        keys, _ = given["memory"].kv.chunk(2, -1)  # [source rows, d_model]
        queries, keys = (
            rows.unflatten(-1, (module.heads, -1))[None] for rows in (module.q(given["x"]), keys)
        )
        weights.append(ops.attention_weights(queries, keys)[0])

    modules = [module for module in model.modules() if isinstance(module, CrossAttention)]
    if not modules:
        raise ValueError("the model has no cross-attention: its decoder has no layers")
    handles = [module.register_forward_pre_hook(observe, with_kwargs=True) for module in modules]
    try:
        model.decode(tgt, model.encode(src))
    finally:
        for handle in handles:
            handle.remove()
    return torch.stack(weights).float()
