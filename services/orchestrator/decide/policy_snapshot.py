"""One version of the policy's parameters, and the decisions that follow from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tercet.rl.costs.reading import Reading, choice_of
from tercet.rl.experience import Experience
from tercet.rl.explanation_data import Reasons
from tercet.rl.hybrid import (
    CostModel,
    Decision,
    PolicyParameters,
    Profile,
    decide,
    from_bytes,
    to_bytes,
)
from tercet.rl.hybrid.explanation import reasons
from tercet.rl.hybrid.policy_parameters import Probes
from tercet.rl.hybrid.validation import greedy_costs, rejection_reason
from tercet.rl.options import Option
from tercet.rl.planning.values import Values
from tercet.rl.platform import Platform
from tercet.services.orchestrator.decide.policy_interface import DecisionContext


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
        self._parameters = PolicyParameters.of(from_bytes(blob))
        self._knowledge = self._parameters.knowledge

    @classmethod
    def of_priors(cls) -> PolicySnapshot:
        """What is assumed before anything was measured."""
        return cls(-1, to_bytes(PolicyParameters(CostModel().knowledge).parameters()))

    @property
    def probes(self) -> Probes:
        """Nodes that may be left out once, to find out whether load moves their condition."""
        return self._parameters.probes

    def objection(self, present: PolicySnapshot | None, recent: RecentRounds) -> str:
        """Why this must not replace `present` (`tercet.rl.hybrid.validation`); empty if it may.

        Costs are compared, not values: a decision that pays later costs more now.
        """
        former = None if present is None else present._knowledge
        return rejection_reason(
            self._knowledge, former, recent.platform, recent.rounds, recent.profile
        )

    def costs(self, other: PolicySnapshot, recent: RecentRounds) -> tuple[float, float]:
        """Average ms of this version's greedy assignment and of another's."""
        both = (self._knowledge, other._knowledge)
        own, others = greedy_costs(both, recent.platform, recent.rounds, recent.profile)
        return own, others

    def greedy(self, context: DecisionContext) -> Decision:
        """The best assignment by the expected costs."""
        return decide(
            self._knowledge,
            context.platform,
            context.state,
            context.parsed_goals,
            context.fleet.profile_ms,
            context.unavailable,
            self._values(context),
        )

    def _values(self, context: DecisionContext) -> Values | None:
        """What states are worth; they are computed for one goal, and not yet for several."""
        return None if context.goals else self._parameters.values(context.parsed_goal)

    def explain(self, context: DecisionContext, in_force: dict[str, Option]) -> Reasons:
        """The reasons for an assignment."""
        return reasons(
            self._knowledge,
            context.platform,
            context.state,
            context.parsed_goals,
            in_force,
            context.fleet.profile_ms,
            context.unavailable,
            self._values(context),
        )

    def expected_ms(
        self, context: DecisionContext, in_force: dict[str, Option]
    ) -> dict[str, dict[str, float]]:
        """Device to option to expected milliseconds, at the loads of the others."""
        platform = context.platform
        table = self._knowledge.table(platform, context.state, context.fleet.profile_ms)
        if not table.devices:
            return {}
        costs = Reading.of(table, choice_of(platform, table, in_force)).costs
        names = [str(option) for option in platform.options]
        return {
            device: {names[k]: float(costs[i, k]) for k in np.flatnonzero(table.allowed[i])}
            for i, device in enumerate(table.devices)
        }
