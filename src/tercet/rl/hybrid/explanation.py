"""Why an assignment: the prediction for every option, at the present loads of the others."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from tercet.rl.costs.choice import Goals
from tercet.rl.costs.cost_table import CostTable
from tercet.rl.costs.encoding import Profile
from tercet.rl.costs.prediction import Knowledge
from tercet.rl.costs.reading import Reading, choice_of
from tercet.rl.experience import State
from tercet.rl.explanation_data import Expectation, Reasons
from tercet.rl.goal_price import price_of
from tercet.rl.hybrid.decision import decide
from tercet.rl.planning.values import Values
from tercet.rl.platform import Assignment, Platform


def reasons(
    knowledge: Knowledge,
    platform: Platform,
    state: State,
    goals: Goals,
    in_force: Assignment,
    profile: Profile | None = None,
    unavailable: Collection[str] = (),
    values: Values | None = None,
) -> Reasons:
    """As `decide`; `in_force` gives the loads, a row without an option counts nowhere."""
    best = decide(knowledge, platform, state, goals, profile, unavailable, values)
    return Reasons(
        greedy=best.assignment,
        average_ms=best.average_ms,
        accuracy=best.solution.accuracy,
        feasible=best.solution.feasible,
        price_ms=None if best.priced is None else price_of(best.solution, best.priced.problem),
        options=_expectations(platform, best.table, in_force),
    )


def _expectations(
    platform: Platform, table: CostTable, in_force: Assignment
) -> dict[str, tuple[Expectation, ...]]:
    """Each row's options, read at the loads of the others."""
    seen = Reading.of(table, choice_of(platform, table, in_force))
    spread = np.sqrt(np.maximum(seen.variance, 0.0))
    return {
        device: tuple(
            Expectation(
                option,
                platform.node(device, option),
                int(seen.users[i, k]),
                float(seen.costs[i, k] * table.report[i]),
                float(spread[i, k]),
                None,
            )
            for k, option in enumerate(platform.options)
        )
        for i, device in enumerate(table.devices)
    }
