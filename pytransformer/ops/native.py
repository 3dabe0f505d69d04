"""Loads the compiled extension, which registers its ops with torch, and says why when it cannot."""

from __future__ import annotations

import torch

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

library = torch.ops.pytransformer
"""The registered ops, as schemas in csrc/bindings/library.cpp name them."""
