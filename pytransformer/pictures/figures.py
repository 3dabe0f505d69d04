"""Figures of matplotlib, which is loaded only where one is drawn."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pytransformer.errors import UserError
from pytransformer.files import atomic_file

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def require_matplotlib() -> None:
    """Raise UserError, saying what to install, if matplotlib is missing."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise UserError(
            "pictures need matplotlib; run: pip install matplotlib koreanize-matplotlib"
        ) from error


def save(figure: Figure, path: Path) -> None:
    """Write a picture, all of it or nothing; the suffix says the format: ``.png``, ``.svg``, ….

    Raises:
        UserError: if matplotlib does not write this format, or the system refuses, as with a full
            disk.
    """
    kind = path.suffix.removeprefix(".").lower()
    if kind not in (kinds := figure.canvas.get_supported_filetypes()):
        raise UserError(f"cannot draw {path}: the suffix must be one of {', '.join(kinds)}")
    with atomic_file(path) as temporary:
        figure.savefig(temporary, format=kind, bbox_inches="tight", pad_inches=0.15)
