"""The learned policy: parameters in force, and the chance to explore with. Needs torch."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from rl.experience import State
from rl.features import Profile
from rl.goal import Goal
from rl.hybrid import HybridSettings, decide, explore_head, from_bytes
from rl.hybrid.explaining import reasons
from rl.platform import Assignment, Option, Platform
from rl.reasons import Reasons


class Learned:
    """One version of the parameters."""

    def __init__(self, version: int, blob: bytes) -> None:
        """Raises ValueError when the parameters are malformed."""
        self.version = version
        self._parameters = from_bytes(blob)
        self._settings = HybridSettings()
        self._head: int | None = None
        """The head that explored last."""

    def choose(
        self,
        rng: np.random.Generator,
        platform: Platform,
        state: State,
        goal: Goal,
        profile: Profile,
        unavailable: Collection[str],
        *,
        explore: bool,
    ) -> dict[str, Option]:
        """Decide; raises ValueError when the parameters were learned on other options."""
        head = explore_head(self._settings, rng) if explore else None
        if explore:
            self._head = head
        return decide(
            self._parameters, platform, state, goal, head, rng, profile, unavailable
        ).assignment

    def explain(
        self,
        platform: Platform,
        state: State,
        goal: Goal,
        in_force: Assignment,
        profile: Profile,
        unavailable: Collection[str],
        *,
        explored: bool,
    ) -> tuple[Reasons, int | None]:
        """The reasons, and the head that chose; raises ValueError when parameters do not fit."""
        head = self._head if explored else None
        found = reasons(
            self._parameters, platform, state, goal, in_force, head, profile, unavailable
        )
        return found, head
