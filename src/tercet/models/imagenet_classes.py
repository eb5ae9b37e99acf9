"""The 1,000 classes of ImageNet: the order of the outputs, as all published networks have it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

FILE = Path(__file__).with_suffix(".txt")
"""One class a line: its WordNet number, and torchvision's name for it (BSD-3-Clause)."""


@cache
def _lines() -> tuple[tuple[str, str], ...]:
    lines = FILE.read_text(encoding="utf-8").splitlines()
    return tuple((number, name) for number, _, name in (line.partition(" ") for line in lines))


def names() -> tuple[str, ...]:
    """The names, in the order of the outputs."""
    return tuple(name for _, name in _lines())


def by_number() -> Mapping[str, str]:
    """WordNet number, the name of a class's folder in ImageNet, to the name."""
    return dict(_lines())
