"""From a cost table to an assignment with the solver that `hybrid` uses, for every baseline."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from tercet.rl.assignment_solver import solve
from tercet.rl.availability import without_unavailable
from tercet.rl.experience import Experience, State
from tercet.rl.goal import Goal, required_accuracy
from tercet.rl.platform import Assignment, Platform, decode

Floats = NDArray[np.float64]


def active(platform: Platform, state: State) -> tuple[str, ...]:
    """The active devices in the platform's order."""
    return tuple(d for d in platform.devices if d in state.active)


def relative_demand(state: State, devices: Collection[str]) -> dict[str, float]:
    """Each device's demand over their mean; one where nothing is known."""
    known = {d: state.demand[d] for d in devices if state.demand.get(d, 0.0) > 0}
    mean = sum(known.values()) / len(known) if known else 1.0
    return {d: known.get(d, mean) / mean for d in devices}


def measured_loads(platform: Platform, experience: Experience) -> dict[str, float]:
    """The load under which each device's requests ran; devices that asked nothing add none."""
    asked = set(experience.response_ms) | experience.censored or set(experience.assignment)
    present = [d for d in platform.devices if d in experience.assignment and d in asked]
    demand = relative_demand(experience.state, present)
    node = {d: platform.node(d, experience.assignment[d]) for d in present}
    return {d: sum(demand[e] for e in present if node[e] == node[d]) for d in present}


def solved(platform: Platform, state: State, goal: Goal, table: Floats) -> Assignment:
    """The assignment of least cost, `table` [n, O, n], that meets the goal."""
    devices = active(platform, state)
    demand = relative_demand(state, devices)
    weighted = table * np.array([demand[d] for d in devices])[:, None, None]
    priced = without_unavailable(platform, devices, weighted, ())
    required = required_accuracy(goal, (platform.accuracy[o.variant] for o in platform.options))
    homes = dict(zip(platform.devices, platform.home, strict=True))
    home = [platform.edges.index(homes[d]) for d in devices]
    tiers = [o.tier for o in platform.options]
    return decode(
        platform, devices, solve(priced, platform.option_accuracy, required, tiers, home).choice
    )


def cost_of(platform: Platform, state: State, table: Floats, assignment: Assignment) -> float:
    """Mean of the table's entries [n, O, n] under the loads that `assignment` brings about."""
    devices = active(platform, state)
    demand = relative_demand(state, devices)
    nodes = [platform.node(d, assignment[d]) for d in devices]
    entries = [
        demand[d] * table[i, platform.index[assignment[d]], nodes.count(nodes[i]) - 1]
        for i, d in enumerate(devices)
    ]
    return float(np.mean(entries))
