"""What all pictures share: matplotlib, which is optional, fonts, and a file that appears whole."""

from pytransformer.pictures.figures import require_matplotlib, save

__all__ = ["require_matplotlib", "save"]
