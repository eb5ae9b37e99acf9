"""One line of the report of `tercet doctor`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["ok", "look", "wrong"]


@dataclass(frozen=True)
class Finding:
    """One line of the report."""

    check: str
    verdict: Severity
    found: str
    advice: str = ""
