"""Policies that are never learned: one option for every device, and the start-up profiles."""

from __future__ import annotations

import numpy as np

from tercet.rl.assignment_solver import solve
from tercet.rl.availability import UNAVAILABLE_MS, without_unavailable
from tercet.rl.goal import required_accuracy
from tercet.rl.options import Option
from tercet.rl.platform import decode
from tercet.services.orchestrator.decide.policy_interface import DecisionContext
from tercet.services.orchestrator.decide.schedule import CLOUD, EDGE, LOCAL

FIXED = {LOCAL: Option("d0", "L"), EDGE: Option("d0", "E"), CLOUD: Option("d0", "C")}
"""Fixed policies: one option for every device."""


def fixed(option: Option, context: DecisionContext) -> dict[str, str] | None:
    """One option for everyone; None if it does not apply to all active devices."""
    platform = context.platform
    if option not in platform.options:
        return None
    if not all(platform.offers(device, option) for device in context.active):
        return None
    return dict.fromkeys(context.active, str(option))


def by_profile(context: DecisionContext) -> dict[str, Option]:
    """The solver on the nodes' start-up profiles, blind to contention and links."""
    platform, fleet = context.platform, context.fleet
    devices = tuple(d for d in platform.devices if d in context.state.active)
    costs = np.empty((len(devices), len(platform.options), len(devices)))
    for i, device in enumerate(devices):
        for k, option in enumerate(platform.options):
            profile = fleet.profile_ms.get(platform.node(device, option), {})
            costs[i, k, :] = profile.get(option.variant, UNAVAILABLE_MS)
    home = [platform.edges.index(platform.home[platform.devices.index(d)]) for d in devices]
    accuracies = (platform.accuracy[o.variant] for o in platform.options)
    solution = solve(
        without_unavailable(platform, devices, costs, context.unavailable),
        platform.option_accuracy,
        required_accuracy(context.parsed_goal, accuracies),
        [o.tier for o in platform.options],
        home,
    )
    return decode(platform, devices, solution.choice)
