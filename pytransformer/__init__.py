"""The Transformer of "Attention Is All You Need" as a small, fast runtime.

::

    import pytransformer as pt

    model = pt.Transformer(pt.TransformerConfig.preset("tiny", vocab_size=8000))
    loss = model.loss(pt.pack(sources), pt.pack(targets))
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytransformer.version import __version__


def _is_the_command() -> bool:
    """Whether this process is ``pytransformer`` or ``python -m pytransformer``."""
    # What comes before the arguments; with -m, sys.argv does not tell the name of the module yet.
    program = sys.orig_argv[-len(sys.argv) :][:1]
    return [Path(name).name for name in program] == ["pytransformer"]


# The command imports what it needs by itself, where it words errors and answers Ctrl-C: it also has
# to start in a broken installation, to say what repairs it.
if not _is_the_command():
    from pytransformer import ops, reference
    from pytransformer.config import TransformerConfig
    from pytransformer.model import Transformer
    from pytransformer.packed import Packed, pack

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
