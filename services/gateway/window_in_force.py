"""The window in force: its number, and how often the assignment has changed."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from tercet.schemas.window_v1 import Window

LENGTHS = 3.0
"""A window that is not followed by another one ends after so many times its length: without an
orchestrator there are no windows."""


@dataclass(frozen=True, slots=True)
class Moment:
    """What a request needs to know of the window at its beginning and at its end."""

    window: int | None = None
    """Number of the window; None where none is announced."""
    assignment: int | None = None
    """Counts up when the options in force change."""


class WindowInForce:
    """Follows `window.v1`."""

    def __init__(self) -> None:
        self._window: Window | None = None
        self._ends = 0.0
        """On the loop's clock, when no next one is announced."""

    async def on_window(self, window: Window) -> None:
        """A window has begun."""
        self._window = window
        self._ends = asyncio.get_running_loop().time() + LENGTHS * window.length_s

    def now(self) -> Moment:
        """The present moment."""
        window = self._window
        if window is None or asyncio.get_running_loop().time() > self._ends:
            return Moment()
        return Moment(window.number, window.assignment)
