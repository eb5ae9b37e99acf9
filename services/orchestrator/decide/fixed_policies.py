"""Policies that are never learned: one tier for every device, and the start-up profiles."""

from __future__ import annotations

from dataclasses import replace
from itertools import compress

import numpy as np

from tercet.rl.assignment_solver import solve
from tercet.rl.availability import UNAVAILABLE_MS, without_unavailable
from tercet.rl.goal import Goal, parse_goal, required_accuracy
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
    platform, chosen = context.platform, dict[str, Option]()
    rows = [row for row in platform.devices if row in context.state.active]
    for group in dict.fromkeys(platform.group.get(row, "") for row in rows):
        own = tuple(row for row in rows if platform.group.get(row, "") == group)
        chosen |= _of_group(context, own, parse_goal(context.goals.get(group, context.goal)))
    return chosen


def _of_group(context: DecisionContext, rows: tuple[str, ...], goal: Goal) -> dict[str, Option]:
    """The same for the rows of one goal group, among the options that one of them has."""
    platform, fleet = context.platform, context.fleet
    usable = [any(platform.offers(row, option) for row in rows) for option in platform.options]
    some = replace(platform, options=tuple(compress(platform.options, usable)))
    costs = np.empty((len(rows), len(some.options), len(rows)))
    for i, row in enumerate(rows):
        for k, option in enumerate(some.options):
            profile = fleet.profile_ms.get(platform.node(row, option), {})
            costs[i, k, :] = profile.get(option.variant, UNAVAILABLE_MS)
    solution = solve(
        without_unavailable(some, rows, costs, context.unavailable),
        some.option_accuracy,
        required_accuracy(goal, some.option_accuracy.tolist()),
        [o.tier for o in some.options],
        [platform.edges.index(platform.home[platform.devices.index(row)]) for row in rows],
    )
    return decode(some, rows, solution.choice)
