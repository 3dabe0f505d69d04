"""The Transformer of "Attention Is All You Need" as a small, fast runtime.

::

    import pytransformer as pt

    model = pt.Transformer(pt.TransformerConfig.preset("tiny", vocab_size=8000))
    loss = model.loss(pt.pack(sources), pt.pack(targets))
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytransformer.version import __version__


def _is_the_command() -> bool:
    """Whether this process is ``pytransformer`` or ``python -m pytransformer``."""
    # What comes before the arguments; with -m, sys.argv does not tell the name of the module yet.
    program = sys.orig_argv[-len(sys.argv) :][:1]
    return [Path(name).name for name in program] == ["pytransformer"]


# Loaded when they are asked for: translating needs sentencepiece, which training and the ops do
# not, and the command has to start before any of them is loaded (see below).
_EXPORTS = {
    "Packed": "packed",
    "Transformer": "model",
    "TransformerConfig": "config",
    "Translator": "decoding",
    "pack": "packed",
}

if TYPE_CHECKING:
    from pytransformer import ops, reference
    from pytransformer.config import TransformerConfig
    from pytransformer.decoding import Translator
    from pytransformer.model import Transformer
    from pytransformer.packed import Packed, pack

__all__ = [
    "Packed",
    "Transformer",
    "TransformerConfig",
    "Translator",
    "__version__",
    "ops",
    "pack",
    "reference",
]


def __getattr__(name: str) -> Any:
    if name in ("ops", "reference"):
        return importlib.import_module(f"pytransformer.{name}")
    if name in _EXPORTS:
        return getattr(importlib.import_module(f"pytransformer.{_EXPORTS[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


# An installation that cannot work says so where it is imported, not at the first use. The command
# does that by itself, in a sentence; it answers Ctrl-C meanwhile, and `doctor` names a remedy.
if not _is_the_command():
    importlib.import_module("pytransformer.ops")
