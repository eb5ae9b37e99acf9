"""The learned policy: parameters in force, and the chance to explore with. Needs torch."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from tercet.rl.experience import Experience, State
from tercet.rl.features import Profile
from tercet.rl.goal import Goal
from tercet.rl.hybrid import HybridSettings, RegretAccount, decide, from_bytes
from tercet.rl.hybrid import explore as venture
from tercet.rl.hybrid.explanation import reasons
from tercet.rl.hybrid.validation import costs, objection
from tercet.rl.platform import Assignment, Option, Platform
from tercet.rl.reasons import Reasons

OPENING = 20.0
"""Rounds of a regret account's first grant: what is learned first is learned by trying."""


class PolicySnapshot:
    """One version of the parameters."""

    def __init__(self, version: int, blob: bytes) -> None:
        """Raises ValueError when the parameters are malformed."""
        self.version = version
        self._parameters = from_bytes(blob)
        self._settings = HybridSettings()
        self._head: int | None = None
        """The head that explored last..."""
        self._unheard: frozenset[str] = frozenset()
        """...and for whom it did not."""

    def objection(
        self,
        present: PolicySnapshot | None,
        platform: Platform,
        seen: Sequence[Experience],
        profile: Profile,
    ) -> str:
        """Why this must not take over from `present` (`tercet.rl.hybrid.validation`); empty if it may."""
        known = None if present is None else present._parameters
        return objection(self._parameters, known, platform, seen, profile)

    def costs(
        self,
        rival: PolicySnapshot,
        platform: Platform,
        seen: Sequence[Experience],
        profile: Profile,
    ) -> tuple[float, float]:
        """What this one's greedy assignment costs by the latest rounds, and what a rival's, ms."""
        own, its = costs((self._parameters, rival._parameters), platform, seen, profile)
        return own, its

    def choose(
        self,
        rng: np.random.Generator,
        platform: Platform,
        state: State,
        goal: Goal,
        profile: Profile,
        unavailable: Collection[str],
        *,
        explore_within: RegretAccount | None = None,
        explore: bool,
        unheard: Collection[str] = (),
    ) -> tuple[dict[str, Option], RegretAccount | None]:
        """Decide, and the account after it; ValueError for parameters of other options."""
        place = (self._parameters, platform, state, goal)
        if not explore:
            return decide(*place, None, rng, profile, unavailable).assignment, explore_within
        decision, account = venture(
            *place, self._settings, rng, explore_within, profile, unavailable, unheard
        )
        self._head, self._unheard = decision.head, frozenset(unheard)
        return decision.assignment, account

    @property
    def greedy(self) -> bool:
        """Whether the mean of the heads decided when it was last asked to explore."""
        return self._head is None

    def opening(
        self, share: float, platform: Platform, state: State, goal: Goal, profile: Profile
    ) -> RegretAccount:
        """An account with enough to learn from nothing: `OPENING` rounds' whole time."""
        expected = decide(self._parameters, platform, state, goal, profile=profile).average_ms
        return RegretAccount(share, OPENING * expected)

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
            self._parameters,
            platform,
            state,
            goal,
            in_force,
            head,
            profile,
            unavailable,
            self._unheard,
        )
        return found, head
