"""Policies that are never learned: one tier for every device, and the start-up profiles."""

from __future__ import annotations

import numpy as np

from tercet.rl.assignment_solver import solve
from tercet.rl.availability import UNAVAILABLE_MS, without_unavailable
from tercet.rl.goal import required_accuracy
from tercet.rl.options import Option, Tier
from tercet.rl.platform import decode
from tercet.services.orchestrator.decide.policy_interface import DecisionContext
from tercet.services.orchestrator.decide.schedule import CLOUD, EDGE, LOCAL

FIXED: dict[str, Tier] = {LOCAL: "L", EDGE: "E", CLOUD: "C"}
"""Fixed policies: one tier for every device, with the most accurate variant of the family there."""


def fixed(tier: Tier, context: DecisionContext) -> dict[str, str] | None:
    """One tier for everyone; None if it does not apply to all active devices.

    It does not where some node cannot run the most accurate variant that others of its tier have.
    """
    platform = context.platform
    chosen = {}
    for row in context.active:
        own = platform.variants.get(row)
        there = [o for o in platform.options if o.tier == tier]
        options = [o for o in there if own is None or o.variant in own]
        if not options:
            return None
        best = max(options, key=lambda o: platform.accuracy[o.variant])
        if not platform.offers(row, best):
            return None
        chosen[row] = str(best)
    return chosen


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
