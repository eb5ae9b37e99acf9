"""The platforms of the latest fleets: every message names its fleet, and few fleets differ."""

from __future__ import annotations

from collections.abc import Callable

from tercet.rl.platform import Platform
from tercet.schemas.fleet import Fleet

KEPT = 4
"""Fleets whose platforms are kept; one process sees hardly more at a time."""


class LatestPlatforms:
    """Fleets that are equal have one platform, so that what is derived from it is found again."""

    def __init__(self, create: Callable[[Fleet], Platform]) -> None:
        self._create = create
        self._kept: tuple[tuple[Fleet, Platform], ...] = ()

    def of(self, fleet: Fleet) -> Platform:
        """The platform of a fleet; may be called from several threads."""
        kept = self._kept  # Replaced as a whole, never changed.
        for known, platform in kept:
            if known is fleet or known == fleet:
                return platform
        platform = self._create(fleet)
        self._kept = ((fleet, platform), *kept[: KEPT - 1])
        return platform
