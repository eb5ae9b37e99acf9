"""From what is known about costs to an assignment: predict the cost table, then solve."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tercet.rl.assignment_solver import Solution, solved
from tercet.rl.costs.choice import Goals
from tercet.rl.costs.cost_table import CostTable
from tercet.rl.costs.encoding import Profile
from tercet.rl.costs.prediction import Knowledge
from tercet.rl.experience import State
from tercet.rl.options import Option
from tercet.rl.planning.problem import Priced, priced
from tercet.rl.planning.values import Values
from tercet.rl.platform import Platform, decode


@dataclass(frozen=True)
class Decision:
    """The best assignment by the expected costs, and its basis."""

    platform: Platform
    table: CostTable
    """Expected costs of the window."""
    priced: Priced | None
    """What was solved: those, and what later windows cost. None: there is no row to decide for."""
    solution: Solution

    @property
    def assignment(self) -> dict[str, Option]:
        """One option per row of the table."""
        return decode(self.platform, self.table.devices, self.solution.choice)

    @property
    def average_ms(self) -> float:
        """Expected mean cost per request in the window."""
        later = 0.0 if self.priced is None else self.priced.later_ms(self.solution)
        return float(self.solution.cost) - later


def decide(
    knowledge: Knowledge,
    platform: Platform,
    state: State,
    goals: Goals,
    profile: Profile | None = None,
    unavailable: Collection[str] = (),
    values: Values | None = None,
) -> Decision:
    """Choose one option per active row; nodes that are `unavailable` only if nothing else is.

    `values` of states for this goal; without them only the window itself counts. Draws nothing.
    Raises ValueError when a goal is not one.
    """
    table = knowledge.table(platform, state, profile)
    if not table.devices:
        none = Solution(np.zeros(0, dtype=np.int64), 0.0, 0.0, 0.0, True, True, np.zeros(0))
        return Decision(platform, table, None, none)
    allowed = _available(knowledge, platform, table, unavailable) if unavailable else None
    found = priced(table, state, platform, goals, values, allowed)
    return Decision(platform, table, found, solved(found.problem))


def _available(
    knowledge: Knowledge, platform: Platform, table: CostTable, unavailable: Collection[str]
) -> NDArray[np.bool_]:
    """Allowed options that run on other nodes, [n, O]; all of a row that has no other."""
    places = knowledge.registry.places(platform)
    away = np.isin(places.names, list(unavailable))
    node = places.node[[places.position[d] for d in table.devices]]
    free = table.allowed & ~away[node]
    return np.where(free.any(axis=1, keepdims=True), free, table.allowed)
