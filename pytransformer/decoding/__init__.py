"""From a trained model to translations: search, translator, scores, attention pictures."""

from pytransformer.decoding.search import SearchOptions
from pytransformer.decoding.translator import Translation, Translator

__all__ = ["SearchOptions", "Translation", "Translator"]
