"""Attention against torch's scaled_dot_product_attention, each in the layout it likes best.

On a CUDA device the peers are torch's backends, each of which may be the fastest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from bench.case import CPU, OURS, TORCH, Case, Mode, check_against, compiled_side, random, side
from bench.torch_transformer import pad
from pytransformer import ops
from tests.cases.attention import boundaries

DROPOUT = 0.1
BACKENDS = {
    "flash": SDPBackend.FLASH_ATTENTION,
    "cudnn": SDPBackend.CUDNN_ATTENTION,
    "efficient": SDPBackend.EFFICIENT_ATTENTION,
}
_MODES: tuple[Mode, ...] = ("forward", "forward+backward")

Attention = Callable[[Tensor, Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Shape:
    """Self-attention of equal lengths."""

    batch: int
    heads: int
    length: int
    head_dim: int
    causal: bool = False

    @property
    def name(self) -> str:
        sizes = f"{self.batch} x {self.heads} x {self.length} x {self.head_dim}"
        return f"{sizes} causal" if self.causal else sizes

    @property
    def pairs(self) -> float:
        """How many queries see how many keys, all together."""
        seen = self.length * (self.length + 1) / 2 if self.causal else self.length**2
        return self.batch * self.heads * seen


SHAPES = (
    Shape(16, 8, 128, 64),
    Shape(8, 8, 512, 64, causal=True),
    Shape(1, 8, 2048, 64, causal=True),
    Shape(64, 4, 24, 32),
)
SHAPES_ON_CUDA = (
    Shape(16, 16, 1024, 64),
    Shape(4, 16, 4096, 128, causal=True),
)


def long(length: int) -> Shape:
    """One causal sequence of ``length``."""
    return Shape(1, 8, length, 64, causal=True)


def cases() -> Iterator[Case]:
    """Every shape in both modes and types; then with dropout."""
    for dtype in (torch.float32, torch.bfloat16):
        for mode in _MODES:
            for shape in SHAPES:
                yield case(shape, dtype, mode)
    for dtype in (torch.float32, torch.bfloat16):
        for shape in SHAPES:
            yield case(shape, dtype, "forward+backward", DROPOUT)


def cases_on_cuda() -> Iterator[Case]:
    """Long sequences; then sentences, packed against padded."""
    for mode in _MODES:
        for shape in SHAPES_ON_CUDA:
            yield case(shape, torch.bfloat16, mode, device=torch.device("cuda"))
        yield sentences(torch.bfloat16, mode)


def case(
    shape: Shape, dtype: torch.dtype, mode: Mode, dropout: float = 0.0, device: torch.device = CPU
) -> Case:
    """One of ``SHAPES``, or another."""
    generator = torch.Generator().manual_seed(1)
    sizes = (shape.batch, shape.length, shape.heads, shape.head_dim)
    inputs = [random(sizes, generator, dtype, device) for _ in range(4)]
    theirs = [x.transpose(1, 2).contiguous() for x in inputs]
    for x in (*inputs[:3], *theirs[:3]):
        x.requires_grad_()

    def our_attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return ops.attention(q, k, v, causal=shape.causal, dropout_p=dropout)

    def torch_attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return F.scaled_dot_product_attention(q, k, v, is_causal=shape.causal, dropout_p=dropout)

    def check() -> None:
        # Without dropout: its bits are the tests' matter. Large ones by one sequence, since the
        # oracle writes out every score.
        checked = slice(None) if device == CPU else slice(1)
        check_against(
            lambda q, k, v: ops.attention(q, k, v, causal=shape.causal),
            lambda q, k, v: _in_their_layout(q, k, v, shape.causal),
            [x[checked].detach() for x in inputs[:3]],
            inputs[3][checked],
            shape.length,
        )()

    return Case(
        name=f"{shape.name} dropout" if dropout else shape.name,
        dtype=dtype,
        mode=mode,
        sides={
            OURS: side(mode, our_attention, inputs[:3], inputs[3]),
            **_torch_sides(mode, torch_attention, theirs),
        },
        compiled=compiled_side(mode, torch_attention, theirs[:3], theirs[3]),
        check=check,
        operations=_operations(mode, shape.pairs, shape.head_dim),
        device=device,
    )


SENTENCES = 512
LENGTHS = (10, 60)
HEADS, HEAD_DIM = 8, 64


def sentences(dtype: torch.dtype, mode: Mode) -> Case:
    """Self-attention of an encoder: ours of packed rows, torch's of padded ones with a mask."""
    generator, device = torch.Generator().manual_seed(1), torch.device("cuda")
    lengths = torch.randint(LENGTHS[0], LENGTHS[1] + 1, (SENTENCES,), generator=generator)
    ends = boundaries(tuple(lengths.tolist())).to(device)
    longest, rows = int(lengths.max()), int(lengths.sum())
    inputs = [random((rows, HEADS, HEAD_DIM), generator, dtype, device) for _ in range(4)]
    padded = [pad([*x.split(lengths.tolist())]) for x in inputs]
    theirs = [rows.transpose(1, 2).contiguous() for rows, _ in padded]
    padding = padded[0][1]
    assert padding is not None
    for x in (*inputs[:3], *theirs[:3]):
        x.requires_grad_()
    visible = ~padding[:, None, None]

    def our_attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return ops.attention(
            q,
            k,
            v,
            cu_seqlens_q=ends,
            cu_seqlens_k=ends,
            max_seqlen_q=longest,
            max_seqlen_k=longest,
        )

    def torch_attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return F.scaled_dot_product_attention(q, k, v, attn_mask=visible)

    def oracle(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        parts = zip(*(x[None].split(lengths.tolist(), 1) for x in (q, k, v)), strict=True)
        return torch.cat([_in_their_layout(q, k, v, causal=False)[0] for q, k, v in parts])

    return Case(
        name=f"{SENTENCES} sentences of {LENGTHS[0]}-{LENGTHS[1]}, {HEADS} x {HEAD_DIM}",
        dtype=dtype,
        mode=mode,
        sides={
            OURS: side(mode, our_attention, inputs[:3], inputs[3]),
            **_torch_sides(mode, torch_attention, theirs),
        },
        compiled=compiled_side(mode, torch_attention, theirs[:3], theirs[3]),
        check=check_against(our_attention, oracle, inputs[:3], inputs[3], longest),
        operations=_operations(mode, HEADS * float(lengths.square().sum()), HEAD_DIM),
        device=device,
    )


def _torch_sides(
    mode: Mode, attention: Attention, inputs: list[Tensor]
) -> dict[str, Callable[[], object]]:
    """torch's choice on the CPU; on a CUDA device each backend by itself."""
    if not inputs[0].is_cuda:
        return {TORCH: side(mode, attention, inputs[:3], inputs[3])}

    def with_backend(backend: SDPBackend) -> Attention:
        def run(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            with sdpa_kernel(backend):
                return attention(q, k, v)

        return run

    return {
        name: side(mode, with_backend(backend), inputs[:3], inputs[3])
        for name, backend in BACKENDS.items()
    }


def _operations(mode: Mode, pairs: float, head_dim: int) -> float:
    return 2.0 * (2 if mode == "forward" else 7) * pairs * head_dim


def _in_their_layout(q: Tensor, k: Tensor, v: Tensor, causal: bool) -> Tensor:
    q, k, v = (x.transpose(1, 2) for x in (q, k, v))
    return F.scaled_dot_product_attention(q, k, v, is_causal=causal).transpose(1, 2)
