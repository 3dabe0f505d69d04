"""Fonts that have the characters of a picture.

matplotlib's own font knows Latin, Greek and Cyrillic. For Hangul and other scripts the installed
fonts are searched, then the NanumGothic that the package koreanize-matplotlib carries (found as a
file: importing that package would change matplotlib's settings for the whole process).
"""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Iterator
from pathlib import Path

from matplotlib import font_manager
from matplotlib.ft2font import FT2Font

BASE_FAMILY = "DejaVu Sans"
FONT_PACKAGE = "koreanize-matplotlib"

# Sans-serif families with Hangul that come with Linux distributions, Windows and macOS; they go
# first, for their looks and to open few files.
_PREFERRED = (
    "Noto Sans CJK KR",
    "Noto Sans KR",
    "NanumGothic",
    "Malgun Gothic",
    "Apple SD Gothic Neo",
    "Noto Sans CJK JP",
)
_REGULAR = 400


def families_for(text: str) -> list[str]:
    """Font families which together have every visible character of ``text``, the base one first.

    The list is a value for matplotlib's ``font.family``, which takes each character from the first
    family that has it. Warns, saying what to install, if characters remain without a font.
    """
    families = [BASE_FAMILY]
    base = font_manager.findfont(BASE_FAMILY)
    missing = {ord(character) for character in text if character.isprintable()} - _glyphs(base)
    candidates = _candidates() if missing else iter(())
    for path, family in candidates:
        if found := missing & _glyphs(path):
            families.append(family)
            missing -= found
            if not missing:
                break
    if missing:
        sample = "".join(map(chr, sorted(missing)[:10]))
        warnings.warn(
            f"no installed font has the characters {sample!r}; for Hangul run: "
            f"pip install {FONT_PACKAGE}, for other scripts install one of the Noto fonts",
            stacklevel=2,
        )
    return families


def _candidates() -> Iterator[tuple[str, str]]:
    """Paths and families of regular fonts: preferred ones, the package's, all others."""
    installed = sorted(
        (entry.name, entry.fname)
        for entry in font_manager.fontManager.ttflist
        if entry.weight == _REGULAR and entry.style == "normal"
    )
    for preferred in _PREFERRED:
        yield from ((path, family) for family, path in installed if family == preferred)
    if packaged := _packaged_font():
        font_manager.fontManager.addfont(packaged)
        yield str(packaged), font_manager.get_font(packaged).family_name
    yield from ((path, family) for family, path in installed if family not in _PREFERRED)


def _packaged_font() -> Path | None:
    spec = importlib.util.find_spec(FONT_PACKAGE.replace("-", "_"))
    for folder in (spec and spec.submodule_search_locations) or ():
        path = Path(folder) / "fonts" / "NanumGothic.ttf"
        if path.is_file():
            return path
    return None


def _glyphs(path: str) -> set[int]:
    """The characters that a font file has; none if it cannot be read."""
    try:
        return set(FT2Font(path).get_charmap())
    except (OSError, RuntimeError):
        return set()
