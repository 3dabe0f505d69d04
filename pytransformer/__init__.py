"""The Transformer of "Attention Is All You Need" as a small, fast runtime.

::

    import pytransformer as pt

    model = pt.Transformer(pt.TransformerConfig.preset("tiny", vocab_size=8000))
    loss = model.loss(pt.pack(sources), pt.pack(targets))
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from pytransformer.version import __version__

try:
    from pytransformer import ops, reference
    from pytransformer.config import TransformerConfig
    from pytransformer.model import Transformer
    from pytransformer.packed import Packed, pack
except ImportError:
    # One program has to start in a broken installation: the command that says what repairs it.
    if sys.argv[1:2] != ["doctor"]:
        raise

if TYPE_CHECKING:
    from pytransformer.decoding import Translator

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
    # Translating needs sentencepiece; training and the ops alone do not.
    if name == "Translator":
        from pytransformer.decoding import Translator

        return Translator
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
