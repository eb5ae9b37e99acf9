"""One version of the policy's parameters, and the decisions that follow from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tercet.rl.experience import Experience
from tercet.rl.explanation_data import Reasons
from tercet.rl.features import Profile
from tercet.rl.hybrid import ExplorationBudget, HybridSettings, decide, explore, from_bytes
from tercet.rl.hybrid.explanation import reasons
from tercet.rl.hybrid.validation import greedy_costs, rejection_reason
from tercet.rl.options import Option
from tercet.rl.platform import Platform
from tercet.services.orchestrator.decide.policy_interface import DecisionContext

INITIAL_BUDGET_ROUNDS = 20.0
"""Rounds whose whole time a new exploration budget holds: at first there is only exploration."""


@dataclass(frozen=True)
class RecentRounds:
    """What versions are compared on."""

    platform: Platform
    rounds: Sequence[Experience]
    profile: Profile


class PolicySnapshot:
    """The parameters of one version."""

    def __init__(self, version: int, blob: bytes) -> None:
        """Raises ValueError when the parameters are malformed."""
        self.version = version
        self._parameters = from_bytes(blob)
        self._settings = HybridSettings()
        self.head: int | None = None
        """The head of the last exploration; None when the mean of the heads decided."""

    def objection(self, present: PolicySnapshot | None, recent: RecentRounds) -> str:
        """Why this must not replace `present` (`tercet.rl.hybrid.validation`); empty if it may."""
        former = None if present is None else present._parameters
        return rejection_reason(
            self._parameters, former, recent.platform, recent.rounds, recent.profile
        )

    def costs(self, other: PolicySnapshot, recent: RecentRounds) -> tuple[float, float]:
        """Average ms of this version's greedy assignment and of another's."""
        both = (self._parameters, other._parameters)
        own, others = greedy_costs(both, recent.platform, recent.rounds, recent.profile)
        return own, others

    def greedy(self, context: DecisionContext, rng: np.random.Generator) -> dict[str, Option]:
        """Decide by the mean of the heads; ValueError for parameters of other options."""
        decision = decide(
            self._parameters,
            context.platform,
            context.state,
            context.parsed_goal,
            None,
            rng,
            context.fleet.profile_ms,
            context.unavailable,
        )
        return decision.assignment

    def explore(
        self,
        context: DecisionContext,
        rng: np.random.Generator,
        budget: ExplorationBudget | None,
    ) -> tuple[dict[str, Option], ExplorationBudget | None]:
        """Decide by one random head if the budget can pay; also return the budget after it.

        Raises ValueError for parameters of other options.
        """
        decision, budget = explore(
            self._parameters,
            context.platform,
            context.state,
            context.parsed_goal,
            self._settings,
            rng,
            budget,
            context.fleet.profile_ms,
            context.unavailable,
        )
        self.head = decision.head
        return decision.assignment, budget

    def initial_budget(self, share: float, context: DecisionContext) -> ExplorationBudget:
        """A budget of the time of `INITIAL_BUDGET_ROUNDS` rounds."""
        expected = decide(
            self._parameters,
            context.platform,
            context.state,
            context.parsed_goal,
            profile=context.fleet.profile_ms,
        )
        return ExplorationBudget(share, INITIAL_BUDGET_ROUNDS * expected.average_ms)

    def explain(
        self, context: DecisionContext, in_force: dict[str, Option], head: int | None
    ) -> Reasons:
        """The reasons for an assignment; ValueError when the parameters do not fit."""
        return reasons(
            self._parameters,
            context.platform,
            context.state,
            context.parsed_goal,
            in_force,
            head,
            context.fleet.profile_ms,
            context.unavailable,
        )
