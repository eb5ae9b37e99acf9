"""Durations in text: 90s, 15m, 1h, 2d."""

from __future__ import annotations

import re

from tercet.cli.usage_error import UsageError

SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


def seconds(text: str) -> float:
    """Seconds of a duration; raises UsageError that names the text."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", text.strip())
    if found is None:
        raise UsageError(f"{text!r} is not a duration: 90s, 15m, 1h, 2d")
    return float(found[1]) * SECONDS[found[2]]


def ago(age: float) -> str:
    """Write an age in seconds: `4 s`, `3 min`, `2 h`, `5 d`."""
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if age >= 2 * size:
            return f"{age / size:.0f} {unit}"
    return f"{age:.0f} s"
