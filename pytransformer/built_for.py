"""Which installed torch a compiled extension can be loaded into."""

from __future__ import annotations


def same_release(built_for: str, installed: str) -> bool:
    """Whether two versions of torch share their C++ interface: the same major and minor number."""
    return built_for.split(".")[:2] == installed.split(".")[:2]
