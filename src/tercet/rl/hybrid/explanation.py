"""Why an assignment: the prediction for every option, at the present loads of the others."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from tercet.rl.assignment_solver import Solution, solve
from tercet.rl.availability import without_unavailable
from tercet.rl.experience import State
from tercet.rl.explanation_data import Expectation, Reasons
from tercet.rl.features import Profile
from tercet.rl.goal import Goal, required_accuracy
from tercet.rl.goal_price import price
from tercet.rl.hybrid.decision import tables
from tercet.rl.network import Parameters
from tercet.rl.platform import Assignment, Platform, decode

Floats = NDArray[np.float64]


def reasons(
    parameters: Parameters,
    platform: Platform,
    state: State,
    goal: Goal,
    in_force: Assignment,
    head: int | None = None,
    profile: Profile | None = None,
    unavailable: Collection[str] = (),
    quarantined: Collection[str] = (),
) -> Reasons:
    """As `decide`, without drawing. Raises ValueError when the parameters do not fit.

    `in_force` gives the loads; a device without one counts nowhere.
    """
    devices = tuple(d for d in platform.devices if d in state.active)
    table, spread = tables(parameters, platform, state, devices, None, None, profile)
    sampled = None
    if head is not None:
        sampled, _ = tables(parameters, platform, state, devices, head, None, profile, quarantined)
    costs = without_unavailable(platform, devices, table, unavailable)
    required = required_accuracy(goal, (platform.accuracy[o.variant] for o in platform.options))
    home = [platform.edges.index(platform.home[platform.devices.index(d)]) for d in devices]
    problem = (costs, platform.option_accuracy, required, [o.tier for o in platform.options], home)
    best: Solution = solve(*problem)
    return Reasons(
        greedy=decode(platform, devices, best.choice),
        average_ms=best.cost,
        accuracy=best.accuracy,
        feasible=best.feasible,
        price_ms=price(best, *problem),
        options=_expectations(platform, devices, in_force, table, spread, sampled),
    )


def _expectations(
    platform: Platform,
    devices: tuple[str, ...],
    in_force: Assignment,
    table: Floats,
    spread: Floats,
    sampled: Floats | None,
) -> dict[str, tuple[Expectation, ...]]:
    """Read each device's entries at the loads of the others."""
    where = {d: platform.node(d, in_force[d]) for d in devices if d in in_force}
    found = {}
    for i, device in enumerate(devices):
        listed = []
        for k, option in enumerate(platform.options):
            node = platform.node(device, option)
            load = 1 + sum(n == node for other, n in where.items() if other != device)
            entry = (i, k, load - 1)
            drawn = None if sampled is None else float(sampled[entry])
            listed.append(
                Expectation(option, node, load, float(table[entry]), float(spread[entry]), drawn)
            )
        found[device] = tuple(listed)
    return found
