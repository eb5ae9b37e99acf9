"""Exploration within a budget: a random head decides as long as the budget covers its cost.

Each round adds `share` of the best expected average to the budget. An exploratory assignment costs
the expected loss, by the mean of the heads, against the greedy one. An assignment that costs too
much now is executed when enough has been saved. So a budget slows exploration down but never ends
it, and no option is excluded for ever.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from tercet.rl.experience import State
from tercet.rl.features import Profile
from tercet.rl.goal import Goal
from tercet.rl.hybrid.decision import Decision, decide, read
from tercet.rl.hybrid.settings import HybridSettings
from tercet.rl.network import Parameters
from tercet.rl.platform import Platform


@dataclass(frozen=True, slots=True)
class ExplorationBudget:
    """Expected regret that may be spent: `saved` milliseconds of average response time."""

    share: float
    """Added per round, as a share of the greedy assignment's expected average; 0.05 bounds the
    long-run expected regret by 5 %."""
    saved: float = 0.0

    def after(self, income: float, spent: float) -> ExplorationBudget:
        """The budget after a round; frozen, so the caller keeps the newest."""
        return ExplorationBudget(self.share, self.saved + income - spent)


def explore(
    parameters: Parameters,
    platform: Platform,
    state: State,
    goal: Goal,
    settings: HybridSettings,
    rng: np.random.Generator,
    budget: ExplorationBudget | None = None,
    profile: Profile | None = None,
    unavailable: Collection[str] = (),
    quarantined: Collection[str] = (),
) -> tuple[Decision, ExplorationBudget | None]:
    """Decide for one round by one random head; greedy when the budget does not cover it.

    Without a budget the head always decides. The times of `quarantined` devices are not sampled,
    for nothing is learned of them now. Returns the decision and the budget after it.
    """
    head = explore_head(settings, rng)
    exploring = decide(
        parameters, platform, state, goal, head, rng, profile, unavailable, quarantined
    )
    if budget is None or head is None or not exploring.devices:
        return exploring, budget
    greedy = decide(parameters, platform, state, goal, None, None, profile, unavailable)
    expected = read(platform, exploring.devices, exploring.assignment, greedy.table)
    loss = max(0.0, sum(expected.values()) / len(expected) - greedy.average_ms)
    income = budget.share * greedy.average_ms
    if loss <= budget.saved + income:
        return exploring, budget.after(income, loss)
    return greedy, budget.after(income, 0.0)


def explore_head(settings: HybridSettings, rng: np.random.Generator) -> int | None:
    """One head per round (Thompson sampling); None, the mean, when exploring by epsilon."""
    return int(rng.integers(settings.members)) if settings.epsilon is None else None
