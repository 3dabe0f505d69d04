"""The embedded corpus: English sentences with their German or Korean translation.

A sentence is drawn as a meaning (``meaning``, the samplers), and each language says it by a grammar
of its own (``english``, ``german``, ``korean``) over one hand-written lexicon (``lexicon``). So the
translation never copies the order or the forms of the source, and yet follows from it alone.
"""

from pytransformer.data.corpus.splits import CAPACITY, Splits, generate, write

__all__ = ["CAPACITY", "Splits", "generate", "write"]
