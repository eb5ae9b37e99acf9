"""Choose an assignment: by the parameters in force, or by a fixed policy of the evaluation."""

from __future__ import annotations

from collections import deque

import numpy as np

from tercet.experience.translation import experience_of, platform_of
from tercet.process import log
from tercet.rl.explanation_data import Reasons
from tercet.rl.options import Option
from tercet.schemas.experience_v2 import Experience
from tercet.services.orchestrator.decide.budgeted_exploration import BudgetedExploration
from tercet.services.orchestrator.decide.fixed_policies import FIXED, by_profile, fixed
from tercet.services.orchestrator.decide.policy_interface import DecisionContext, Rejected
from tercet.services.orchestrator.decide.policy_snapshot import PolicySnapshot, RecentRounds
from tercet.services.orchestrator.decide.schedule import EXPLORE, GREEDY

_log = log.get(__name__)

RECENT = 8
"""Rounds on which new parameters are compared with the present ones."""


class Policy:
    """The `DecisionPolicy`: parameters in force, exploration, and recent rounds."""

    def __init__(self, seed: int, budget: float | None = None) -> None:
        """`budget`: what exploration may cost in the long run, as a share; None: no limit."""
        self._rng = np.random.default_rng(seed)
        self._snapshot: PolicySnapshot | None = None
        self._recent: deque[Experience] = deque(maxlen=RECENT)
        self._exploration = BudgetedExploration(budget)

    @property
    def version(self) -> int | None:
        """Version of the parameters in force."""
        return None if self._snapshot is None else self._snapshot.version

    def adopt(self, version: int, blob: bytes, unchecked: bool = False) -> None:
        """As `DecisionPolicy.adopt`."""
        snapshot = PolicySnapshot(version, blob)
        recent = None if unchecked else self._recent_rounds()
        reason = "" if recent is None else snapshot.objection(self._snapshot, recent)
        if reason:
            raise Rejected(reason)
        self._snapshot = snapshot

    def costs(self, blob: bytes) -> tuple[float, float] | None:
        """As `DecisionPolicy.costs`."""
        recent = self._recent_rounds()
        if self._snapshot is None or recent is None:
            return None
        return self._snapshot.costs(PolicySnapshot(-1, blob), recent)

    def exploration_budget(self) -> tuple[float | None, int]:
        """As `DecisionPolicy.exploration_budget`."""
        return self._exploration.left_ms, self._exploration.held_back

    def add_round(self, experience: Experience) -> None:
        """As `DecisionPolicy.add_round`; a round without outcomes is of no use."""
        if experience.teaches:
            self._recent.append(experience)

    def choose(self, name: str, context: DecisionContext) -> dict[str, str] | None:
        """As `DecisionPolicy.choose`; without parameters that fit, `profile` decides."""
        if name in FIXED:
            return fixed(FIXED[name], context)
        chosen = self._by_parameters(name, context)
        if chosen is None:
            chosen = by_profile(context)
        return {device: str(chosen[device]) for device in context.active}

    def explain(
        self, name: str, context: DecisionContext, in_force: dict[str, str]
    ) -> Reasons | None:
        """As `DecisionPolicy.explain`."""
        if self._snapshot is None:
            return None
        try:
            return self._snapshot.explain(context, _parsed(context, in_force))
        except ValueError as error:
            _log.warning("assignment not explained", version=self.version, reason=str(error))
            return None

    def expected_ms(
        self, context: DecisionContext, in_force: dict[str, str]
    ) -> dict[str, dict[str, float]] | None:
        """As `DecisionPolicy.expected_ms`."""
        if self._snapshot is None:
            return None
        try:
            return self._snapshot.expected_ms(context, _parsed(context, in_force))
        except ValueError as error:
            _log.warning("nothing expected", version=self.version, reason=str(error))
            return None

    def _by_parameters(self, name: str, context: DecisionContext) -> dict[str, Option] | None:
        """Decide by the parameters; None without any, or when they fail.

        Where no node has a profile either, by what is assumed: a first window that tries several
        options teaches more than one option for all.
        """
        profiled = any(context.fleet.profile_ms.values())
        if name not in (EXPLORE, GREEDY) or (self._snapshot is None and profiled):
            return None
        snapshot = self._snapshot or PolicySnapshot.of_priors()
        try:
            greedy = snapshot.greedy(context)
            if name == GREEDY:
                return greedy.assignment
            return self._exploration.choose(greedy, self._rng, snapshot.probes, context.held)
        except ValueError as error:
            _log.error("parameters do not fit", version=self.version, reason=str(error))
            self._snapshot = None
            return None

    def _recent_rounds(self) -> RecentRounds | None:
        """The latest rounds of the present fleet."""
        if not self._recent:
            return None
        fleet = self._recent[-1].fleet
        rounds = [experience_of(e) for e in self._recent if e.fleet == fleet]
        return RecentRounds(platform_of(fleet), rounds, fleet.profile_ms)


def _parsed(context: DecisionContext, in_force: dict[str, str]) -> dict[str, Option]:
    """The options of active devices that the fleet offers."""
    return {
        device: Option.parse(option)
        for device, option in in_force.items()
        if device in context.active and option in context.fleet.options
    }
