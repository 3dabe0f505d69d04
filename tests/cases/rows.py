"""Awkward calls of the ops that work row by row: norms, linear, feed-forward."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from tests.cases.call import Call
from tests.cases.layout import arrange, generator, normal

_SEED = -987654321  # negative: the key is the two's complement


@dataclass(frozen=True)
class NormCase:
    """A call of ``layer_norm`` or ``add_layer_norm``.

    Attributes:
        shape: of the rows; the last number is the width.
        layout: of the rows.
        gains: dtype of weight and bias; that of the rows when None.
        shift: the mean of the rows, in standard deviations; it cancels, and takes digits with it.
        constant: rows without any variance.
        dropout_p: ``add_layer_norm`` only.
    """

    shape: tuple[int, ...]
    layout: str = "contiguous"
    gains: torch.dtype | None = None
    eps: float = 1e-5
    shift: float = 0.0
    constant: bool = False
    dropout_p: float = 0.0

    @property
    def name(self) -> str:
        parts = ["x".join(map(str, self.shape)), self.layout]
        parts += ["float32 gains"] if self.gains else []
        parts += [f"shift {self.shift:g}"] if self.shift else []
        parts += ["constant"] if self.constant else []
        parts += [f"dropout {self.dropout_p}"] if self.dropout_p else []
        return ", ".join(parts)

    def build(self, dtype: torch.dtype, residual: bool = False) -> Call:
        """x (and residual), weight, bias, and the options."""
        rng = generator(1)
        width = self.shape[-1]
        tensors = {"x": self._rows(rng, dtype)}
        if residual:
            tensors["residual"] = self._rows(rng, dtype)
        gains = dtype if self.gains is None or dtype == torch.float64 else self.gains
        tensors["weight"] = normal((width,), rng, dtype).to(gains)
        tensors["bias"] = normal((width,), rng, dtype).to(gains)
        options: dict[str, object] = dict(eps=self.eps)
        if residual and self.dropout_p:
            options |= dict(dropout_p=self.dropout_p, seed=_SEED)
        rows = max(1, int(torch.Size(self.shape[:-1]).numel()))
        # A row without variance is divided by sqrt(eps); a shift leaves that much less precision.
        condition = self.eps**-0.5 if self.constant or width == 1 else 1.0 + self.shift
        return Call(tensors, options, max(rows, width), floor=2.0 * condition)

    def _rows(self, rng: torch.Generator, dtype: torch.dtype) -> Tensor:
        x = normal(self.shape, rng, torch.float64) + self.shift
        if self.constant:
            x = x[..., :1].expand(self.shape)
        return arrange(x.to(dtype), self.layout)


NORM_CASES: tuple[NormCase, ...] = (
    *(NormCase((5, width)) for width in (1, 2, 3, 15, 16, 17, 31, 32, 128, 513, 1024)),
    *(NormCase((rows, 40)) for rows in (0, 1, 13, 33, 113)),
    *(
        NormCase((7, 33), layout=layout)
        for layout in ("offset", "padded rows", "sparse columns", "transposed", "expanded")
    ),
    NormCase((2, 3, 24)),
    NormCase((2, 3, 24), layout="transposed"),
    NormCase((24,)),
    NormCase((9, 48), gains=torch.float32),
    NormCase((9, 48), eps=1e-3),
    NormCase((9, 48), shift=50.0),
    NormCase((9, 48), constant=True),
    NormCase((9, 48), dropout_p=0.1),
    NormCase((9, 37), dropout_p=0.4, layout="padded rows", gains=torch.float32),
)


@dataclass(frozen=True)
class LinearCase:
    """A call of ``linear``: ``shape[-1]`` inputs; parameters may be float32 beside other rows."""

    shape: tuple[int, ...]
    outputs: int
    bias: bool = True
    layout: str = "contiguous"
    weight_layout: str = "contiguous"
    parameters: torch.dtype | None = None

    @property
    def name(self) -> str:
        parts = ["x".join(map(str, self.shape)) + f" to {self.outputs}", self.layout]
        parts += [] if self.bias else ["no bias"]
        parts += [f"weight {self.weight_layout}"] if self.weight_layout != "contiguous" else []
        parts += ["float32 parameters"] if self.parameters else []
        return ", ".join(parts)

    def build(self, dtype: torch.dtype) -> Call:
        """x, weight and bias."""
        rng = generator(2)
        inputs = self.shape[-1]
        parameters = _parameter_dtype(self.parameters, dtype)
        weight = normal((self.outputs, inputs), rng, dtype).to(parameters)
        tensors = {
            "x": arrange(normal(self.shape, rng, dtype), self.layout),
            "weight": arrange(weight, self.weight_layout),
        }
        if self.bias:
            tensors["bias"] = normal((self.outputs,), rng, dtype).to(parameters)
        rows = int(torch.Size(self.shape[:-1]).numel())
        return Call(tensors, {}, max(rows, inputs, self.outputs))


LINEAR_CASES: tuple[LinearCase, ...] = (
    *(LinearCase((rows, 24), 40) for rows in (0, 1, 2, 13, 14, 15, 28, 29, 33, 113, 300)),
    *(LinearCase((9, width), 33) for width in (1, 7, 16, 17, 100, 511, 512, 513, 1030)),
    *(LinearCase((15, 20), outputs) for outputs in (1, 3, 15, 16, 31, 32, 33, 65, 300)),
    LinearCase((17, 37), 41, bias=False),
    LinearCase((2, 3, 5), 7),
    LinearCase((5,), 7),
    *(
        LinearCase((17, 37), 41, layout=layout)
        for layout in ("offset", "padded rows", "sparse columns", "transposed", "expanded")
    ),
    *(
        LinearCase((17, 37), 41, weight_layout=layout)
        for layout in ("offset", "padded rows", "transposed")
    ),
    LinearCase((17, 37), 41, parameters=torch.float32),
)


@dataclass(frozen=True)
class FeedForwardCase:
    """A call of ``feed_forward`` with ``shape[-1]`` inputs and ``ff`` hidden units."""

    shape: tuple[int, ...]
    ff: int
    outputs: int | None = None
    activation: str = "relu"
    layout: str = "contiguous"
    dropout_p: float = 0.0
    parameters: torch.dtype | None = None

    @property
    def name(self) -> str:
        parts = ["x".join(map(str, self.shape)) + f" by {self.ff}", self.activation, self.layout]
        parts += [f"to {self.outputs}"] if self.outputs else []
        parts += [f"dropout {self.dropout_p}"] if self.dropout_p else []
        parts += ["float32 parameters"] if self.parameters else []
        return ", ".join(parts)

    def build(self, dtype: torch.dtype) -> Call:
        """x, both weights, both biases, and the options."""
        rng = generator(3)
        inputs = self.shape[-1]
        outputs = inputs if self.outputs is None else self.outputs
        parameters = _parameter_dtype(self.parameters, dtype)
        tensors = {
            "x": arrange(normal(self.shape, rng, dtype), self.layout),
            "w1": (normal((self.ff, inputs), rng, dtype) * inputs**-0.5).to(parameters),
            "b1": normal((self.ff,), rng, dtype).to(parameters),
            "w2": (normal((outputs, self.ff), rng, dtype) * self.ff**-0.5).to(parameters),
            "b2": normal((outputs,), rng, dtype).to(parameters),
        }
        options: dict[str, object] = dict(activation=self.activation)
        if self.dropout_p:
            options |= dict(dropout_p=self.dropout_p, seed=_SEED)
        rows = int(torch.Size(self.shape[:-1]).numel())
        return Call(tensors, options, max(rows, self.ff, inputs), floor=2.0)


FEED_FORWARD_CASES: tuple[FeedForwardCase, ...] = (
    *(FeedForwardCase((rows, 24), 40) for rows in (0, 1, 13, 14, 15, 33, 113)),
    *(FeedForwardCase((9, width), 33) for width in (1, 7, 17, 65)),
    *(FeedForwardCase((15, 20), ff) for ff in (1, 15, 33, 300, 1030)),
    *(
        FeedForwardCase((17, 37), 70, activation=activation, dropout_p=p)
        for activation in ("relu", "gelu", "silu")
        for p in (0.0, 0.3)
    ),
    FeedForwardCase((17, 37), 70, outputs=5),
    FeedForwardCase((2, 3, 16), 24, activation="gelu", dropout_p=0.1),
    *(
        FeedForwardCase((17, 37), 70, layout=layout)
        for layout in ("offset", "padded rows", "transposed")
    ),
    FeedForwardCase((17, 37), 70, parameters=torch.float32, dropout_p=0.2),
)


def _parameter_dtype(asked: torch.dtype | None, rows: torch.dtype) -> torch.dtype:
    """Narrow rows may meet float32 parameters; float64 rows only meet their own kind."""
    return rows if asked is None or rows == torch.float64 else asked
