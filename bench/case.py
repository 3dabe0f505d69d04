"""One comparison: what is done, by whom, and how to see that all do the same."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from bench import cuda
from tests.cases.compare import assert_close

OURS = "pytransformer"
TORCH = "torch"
COMPILED = "torch.compile"

Mode = Literal["forward", "forward+backward"]

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Case:
    """What one line of a report is about.

    Attributes:
        name: the shape, in words.
        dtype: of the rows, or of the autocast region.
        mode: what is timed.
        sides: what each side does once; ours is ``OURS``.
        check: raises AssertionError when our result is wrong; run before anything is timed.
        compiled: makes the side of torch.compile, which is compiled when that is first run: it
            takes a minute for a model, so that nobody pays who leaves it out.
        operations: floating-point operations done, two for a multiply-add; 0 where memory decides.
        bytes: read and written at least, where memory decides.
        device: where.
        whole: on a CUDA device, whether its waiting for the host counts.
    """

    name: str
    dtype: torch.dtype
    mode: Mode
    sides: dict[str, Callable[[], object]]
    check: Callable[[], None]
    compiled: Callable[[], Callable[[], object]]
    operations: float = 0.0
    bytes: float = 0.0
    device: torch.device = CPU
    whole: bool = False

    @property
    def label(self) -> str:
        """The name, and whether backward is timed too."""
        return self.name if self.mode == "forward" else f"{self.name} +bwd"

    @property
    def precision(self) -> str:
        """The name of ``dtype``, as ``float32``."""
        return precision_of(self.dtype)


def precision_of(dtype: torch.dtype) -> str:
    """The name of ``dtype`` without torch's."""
    return str(dtype).removeprefix("torch.")


def side(
    mode: Mode, function: Callable[..., Tensor], inputs: Sequence[Tensor], cotangent: Tensor
) -> Callable[[], object]:
    """``function`` of ``inputs`` without autograd, or with the gradients of all of them.

    On a CUDA device each call takes another copy of them.
    """
    turns = _turns(inputs, cotangent)

    def forward() -> object:
        given, _ = next(turns)
        with torch.no_grad():
            return function(*given)

    def forward_and_backward() -> object:
        given, grad = next(turns)
        out = function(*given)
        return torch.autograd.grad(out, given, grad if out.dim() else None)

    return forward if mode == "forward" else forward_and_backward


def _turns(
    inputs: Sequence[Tensor], cotangent: Tensor
) -> Iterator[tuple[Sequence[Tensor], Tensor]]:
    if inputs[0].is_cuda:
        return cuda.rotation(inputs, cotangent)
    return itertools.repeat((inputs, cotangent))


def random(
    shape: tuple[int, ...], generator: torch.Generator, dtype: torch.dtype, device: torch.device
) -> Tensor:
    """Standard normal numbers, the same on every device."""
    return torch.randn(shape, generator=generator).to(device, dtype)


def compiled_side(
    mode: Mode, function: Callable[..., Tensor], inputs: Sequence[Tensor], cotangent: Tensor
) -> Callable[[], Callable[[], object]]:
    """Makes the ``side`` of ``function`` under torch.compile, for exactly these shapes."""
    return lambda: side(mode, compile_for(function), inputs, cotangent)


def compile_for(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """``function`` under torch.compile, as if it were the first in this process."""
    # What a case compiled counts against the next one's limit of recompilations otherwise, since
    # their functions come from the same lines; beyond it torch runs them uncompiled.
    torch.compiler.reset()
    return torch.compile(function, dynamic=False)


def check_against(
    ours: Callable[..., Tensor],
    oracle: Callable[..., Tensor],
    inputs: Sequence[Tensor],
    cotangent: Tensor,
    length: int,
) -> Callable[[], None]:
    """A check of outputs and gradients against ``oracle`` in float64.

    ``length`` is that of the longest sum: the tolerance is that of the tests.
    """

    def check() -> None:
        exact = [x.detach().double().requires_grad_() for x in inputs]
        expected = oracle(*exact)
        wanted = torch.autograd.grad(
            expected, exact, cotangent.double() if expected.dim() else None
        )
        leaves = [x.detach().requires_grad_() for x in inputs]
        out = ours(*leaves)
        found = torch.autograd.grad(out, leaves, cotangent if out.dim() else None)
        dtype = inputs[0].dtype
        assert_close(out, expected.detach(), length=length, name="output", dtype=dtype)
        for index, (one, other) in enumerate(zip(found, wanted, strict=True)):
            assert_close(one, other, length=length, name=f"gradient {index}", dtype=dtype)

    return check
