"""In a simulated world the optimum is known: the regret of the greedy assignment against it."""

from __future__ import annotations

import math

from tercet.experience.translation import state_of
from tercet.rl.goal import parse_goal
from tercet.rl.options import Option
from tercet.schemas.experience_v2 import Experience
from tercet.schemas.truth import Truth
from tercet.sim.environment import Environment
from tercet.sim.oracle import Oracle

OPTIMAL_REGRET = 0.01
"""Regret up to which an assignment counts as optimal."""


class RegretEvaluator:
    """Reads expected times from the environment, which no agent may; keeps the latest regret."""

    def __init__(self, world: Environment) -> None:
        self._oracle = Oracle(world)
        self.oracle_ms = math.nan
        self.regret = math.nan
        self.average_ms = math.nan
        self._last_miss = 0
        self._rounds = 0

    def evaluate(self, experience: Experience) -> bool:
        """Compute the regret of the policy's greedy assignment in this round.

        False for a round for evaluation, which has none.
        """
        if experience.purpose != "learn" or not experience.greedy:
            return False
        goal = parse_goal(experience.goal)
        state = state_of(experience.assigned, experience.state)
        greedy = {d: Option.parse(text) for d, text in experience.greedy.items()}
        self.oracle_ms = self._oracle.optimum(state, goal).average_ms
        self.average_ms = self._oracle.average_ms(state, greedy)
        self.regret = self._oracle.regret(state, goal, greedy)
        self._rounds += 1
        if self.regret > OPTIMAL_REGRET:
            self._last_miss = self._rounds
        return True

    def truth(self, experience: Experience) -> Truth:
        """The message about the round that was evaluated last."""
        return Truth.caused_by(
            experience,
            round=experience.window,
            goal=experience.goal,
            oracle_ms=self.oracle_ms,
            greedy_ms=self.average_ms,
            regret=max(self.regret, 0.0) if math.isfinite(self.regret) else None,
            steps_to_optimal=self.steps_to_optimal,
        )

    @property
    def steps_to_optimal(self) -> int | None:
        """Real steps of this run before the round from which on the regret stayed within 1 %.

        None while the latest round was not.
        """
        return None if self._last_miss == self._rounds else self._last_miss
