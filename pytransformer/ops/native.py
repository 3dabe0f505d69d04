"""Loads the compiled extension, which registers its ops with torch, and says why when it cannot."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor

from pytransformer.built_for import same_release

try:
    from pytransformer._built_for import TORCH as _BUILT_FOR
except ImportError as error:
    raise ImportError(
        "pytransformer's compiled extension is missing; build it with "
        "'pip install --no-build-isolation .' in the source tree, or set "
        "PYTRANSFORMER_BACKEND=reference to run on plain PyTorch, slowly"
    ) from error

if not same_release(_BUILT_FOR, torch.__version__):
    raise ImportError(
        f"pytransformer was built for torch {_BUILT_FOR}, but torch {torch.__version__} is "
        "installed; rebuild it in the source tree with 'pip install --no-build-isolation "
        "--force-reinstall --no-deps .', or install the torch it was built for"
    )

import pytransformer._C  # noqa: F401 (registers the ops)

Fake = TypeVar("Fake", bound=Callable[..., Any])

library = torch.ops.pytransformer
"""The registered ops, as schemas in csrc/bindings/library.cpp name them."""


def register_fake(op: str) -> Callable[[Fake], Fake]:
    """What ``op`` gives for tensors without data: the decorated function says it.

    A tensor on the meta device decides that this function is called, wherever the others are: it
    would give memory that nobody has written to, if they were not checked to be there too.
    """
    names = [argument.name for argument in getattr(library, op).default._schema.arguments]

    def register(fake: Fake) -> Fake:
        @torch.library.register_fake(f"pytransformer::{op}")
        @functools.wraps(fake)
        def checked(*arguments: Any) -> Any:
            _check_same_device(op, names, arguments)
            return fake(*arguments)

        return fake

    return register


def _check_same_device(op: str, names: list[str], arguments: tuple[Any, ...]) -> None:
    first: tuple[str, torch.device] | None = None
    for name, argument in zip(names, arguments, strict=False):
        if not isinstance(argument, Tensor) or name == "seed":
            continue
        if first is None:
            first = name, argument.device
        elif argument.device != first[1]:
            raise ValueError(
                f"{op}: {name} is on {argument.device}, but {first[0]} is on {first[1]}"
            )
