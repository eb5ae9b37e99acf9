"""Bounds for received values: labels are clipped, numbers are finite."""

from __future__ import annotations

import math

MAX_LABEL_LENGTH = 64
"""Characters kept of a label."""


def clip(text: str) -> str:
    """Return the label, shortened to MAX_LABEL_LENGTH characters."""
    return text if len(text) <= MAX_LABEL_LENGTH else text[: MAX_LABEL_LENGTH - 1] + "…"


def finite(value: float | None) -> float | None:
    """Return the number rounded to four digits; None for infinity, NaN and None."""
    return round(value, 4) if value is not None and math.isfinite(value) else None
