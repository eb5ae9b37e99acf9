"""Bounds for what others say: labels are clipped, numbers are such as JSON can say."""

from __future__ import annotations

import math

LONGEST = 64
"""Characters that are kept of a label."""


def clip(text: str) -> str:
    """The beginning of a label: whoever sends a megabyte is read for one line."""
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def finite(value: float | None) -> float | None:
    """A number to four digits; None for infinity, for what is no number, and for None."""
    return round(value, 4) if value is not None and math.isfinite(value) else None
