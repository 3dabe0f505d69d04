"""Awkward calls of the fused output projection and cross-entropy."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from tests.cases.call import Call
from tests.cases.layout import arrange, generator, integers, normal


@dataclass(frozen=True)
class CrossEntropyCase:
    """``ignored`` of every three targets carry ``ignore_index``."""

    rows: int
    vocabulary: int
    width: int = 24
    bias: bool = False
    smoothing: float = 0.1
    ignored: int = 0
    ignore_index: int = -100
    reduction: str = "mean"
    layout: str = "contiguous"
    parameters: torch.dtype | None = None
    scale: float = 1.0
    classes: int | None = None

    @property
    def name(self) -> str:
        parts = [f"{self.rows}x{self.width} to {self.vocabulary}", f"smoothing {self.smoothing}"]
        parts += [self.reduction, self.layout]
        parts += ["bias"] if self.bias else []
        parts += [f"{self.ignored} of 3 are {self.ignore_index}"] if self.ignored else []
        parts += ["float32 parameters"] if self.parameters else []
        parts += [f"{self.classes} classes"] if self.classes else []
        parts += [f"scale {self.scale:g}"] if self.scale != 1.0 else []
        return ", ".join(parts)

    def build(self, dtype: torch.dtype) -> Call:
        """x, weight, bias; targets among the options."""
        rng = generator(4)
        parameters = dtype if dtype == torch.float64 or not self.parameters else self.parameters
        weight = normal((self.vocabulary, self.width), rng, dtype) * self.width**-0.5
        tensors = {
            "x": arrange(normal((self.rows, self.width), rng, dtype) * self.scale, self.layout),
            "weight": weight.to(parameters),
        }
        if self.bias:
            tensors["bias"] = normal((self.vocabulary,), rng, dtype).to(parameters)
        classes = self.classes or self.vocabulary
        targets = integers(0, classes, (self.rows,), rng)
        targets[torch.arange(self.rows) % 3 < self.ignored] = self.ignore_index
        options = dict(
            targets=targets,
            label_smoothing=self.smoothing,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
            classes=self.classes,
        )
        length = max(self.rows, self.vocabulary, self.width)
        counted = max(1, int((targets != self.ignore_index).sum()))
        shrunk = counted if self.reduction == "mean" else 1
        # The loss itself is some log(vocabulary); its gradients are divided by the count.
        return Call(tensors, options, length, floor=4.0 * self.scale / shrunk)


CASES: tuple[CrossEntropyCase, ...] = (
    *(CrossEntropyCase(9, v) for v in (1, 2, 3, 15, 16, 31, 33, 100, 511, 1000, 1037)),
    *(CrossEntropyCase(rows, 50) for rows in (1, 13, 14, 15, 33, 113, 300)),
    *(CrossEntropyCase(9, 37, width=width) for width in (1, 7, 64, 130)),
    *(
        CrossEntropyCase(20, 37, reduction=reduction, smoothing=smoothing, ignored=1, bias=bias)
        for reduction in ("mean", "sum", "none")
        for smoothing in (0.0, 0.1)
        for bias in (False, True)
    ),
    CrossEntropyCase(20, 37, smoothing=1.0),
    CrossEntropyCase(20, 37, ignored=2, ignore_index=5),
    CrossEntropyCase(20, 37, ignored=3, reduction="sum"),
    CrossEntropyCase(20, 37, ignored=3, reduction="none"),
    CrossEntropyCase(20, 37, ignored=3, reduction="mean"),
    CrossEntropyCase(0, 37, reduction="sum"),
    CrossEntropyCase(0, 37, reduction="none"),
    CrossEntropyCase(20, 37, scale=30.0),
    *(
        CrossEntropyCase(20, 37, classes=classes, bias=bias, reduction=reduction)
        for classes in (1, 16, 36, 37)
        for bias in (False, True)
        for reduction in ("mean", "none")
    ),
    *(
        CrossEntropyCase(20, 37, layout=layout)
        for layout in ("offset", "padded rows", "sparse columns", "transposed")
    ),
    CrossEntropyCase(20, 37, parameters=torch.float32, bias=True),
)
