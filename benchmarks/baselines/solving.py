"""From a cost table to an assignment with the solver that `hybrid` uses, for every baseline."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tercet.rl.assignment_arguments import General
from tercet.rl.assignment_solver import solve
from tercet.rl.experience import Experience, State
from tercet.rl.goal import Goal, required_accuracy
from tercet.rl.platform import Assignment, Platform, decode

Floats = NDArray[np.float64]


def active(platform: Platform, state: State) -> tuple[str, ...]:
    """The active devices in the platform's order."""
    present = set(state.active)
    return tuple(d for d in platform.devices if d in present)


def demands(platform: Platform, state: State) -> Floats:
    """Requests that each active device is expected to make, [n]; one where nothing is known."""
    return np.array([state.demand.get(d, 1.0) for d in active(platform, state)])


def levels(platform: Platform, state: State) -> Floats:
    """Loads at which cost tables are filled, [n]: the least demand to all demands, evenly."""
    demand = demands(platform, state)
    return np.linspace(max(demand.min(), 1e-6), max(demand.sum(), 1e-6 * len(demand)), len(demand))


def measured_loads(platform: Platform, experience: Experience) -> dict[str, float]:
    """The load under which each device's requests ran; devices that asked nothing add none."""
    asked = set(experience.response_ms)
    state, counts = experience.state, experience.counts
    if asked:
        amount = {d: float(counts.get(d, 1)) for d in platform.devices if d in asked}
    else:  # Only a mean is known.
        amount = dict(zip(active(platform, state), demands(platform, state), strict=True))
    amount = {d: value for d, value in amount.items() if d in experience.assignment}
    node = {d: platform.node(d, experience.assignment[d]) for d in amount}
    return {d: sum(amount[e] for e in amount if node[e] == node[d]) for d in amount}


def solved(platform: Platform, state: State, goal: Goal, table: Floats) -> Assignment:
    """The assignment of least cost, `table` [n, O, n] at `levels`, that meets the goal."""
    devices, demand = active(platform, state), demands(platform, state)
    required = required_accuracy(goal, (platform.accuracy[o.variant] for o in platform.options))
    homes = dict(zip(platform.devices, platform.home, strict=True))
    home = [platform.edges.index(homes[d]) for d in devices]
    tiers = [o.tier for o in platform.options]
    offered = np.array([[platform.offers(d, o) for o in platform.options] for d in devices])
    general: General = {} if offered.all() else {"allowed": offered}
    if np.ptp(demand) > 0:  # Else loads are counts, and the search is exact.
        amount = np.repeat(demand[:, None], len(tiers), axis=1)
        general |= {"demand": demand, "amount": amount, "levels": levels(platform, state)}
    found = solve(table, platform.option_accuracy, required, tiers, home, **general)
    return decode(platform, devices, found.choice)


def cost_of(platform: Platform, state: State, table: Floats, assignment: Assignment) -> float:
    """Mean cost of a request by the table [n, O, n] under the loads of `assignment`."""
    devices, demand = active(platform, state), demands(platform, state)
    nodes = np.array([platform.node(d, assignment[d]) for d in devices])
    grid, index = levels(platform, state), platform.index
    costs = [
        float(np.interp(demand[nodes == nodes[i]].sum(), grid, table[i, index[assignment[d]]]))
        for i, d in enumerate(devices)
    ]
    return float(np.average(costs, weights=demand if demand.any() else None))
