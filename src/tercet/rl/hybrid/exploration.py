"""Exploring without a bill: a head decides, but only what the regret account can pay for.

Each round pays `share` of the best expected average into the account; an exploratory assignment
costs what it is expected to lose, by the mean of the heads, against the greedy one. What is too
dear now is executed once enough has been saved, so a bounded budget slows exploration down but
never ends it: no lock-in.
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
class RegretAccount:
    """Expected regret that may be spent: `saved` milliseconds of average response time."""

    share: float
    """Paid in per round, as a share of the greedy assignment's expected average; 0.05 bounds the
    long-run expected regret by 5 %."""
    saved: float = 0.0

    def after(self, income: float, spent: float) -> RegretAccount:
        """The account after a round; frozen, so the caller keeps the newest."""
        return RegretAccount(self.share, self.saved + income - spent)


def explore(
    parameters: Parameters,
    platform: Platform,
    state: State,
    goal: Goal,
    settings: HybridSettings,
    rng: np.random.Generator,
    account: RegretAccount | None = None,
    profile: Profile | None = None,
    unavailable: Collection[str] = (),
    unheard: Collection[str] = (),
) -> tuple[Decision, RegretAccount | None]:
    """Decide for one round by one random head; greedy when the account cannot pay for it.

    Without an account the head always decides; what `unheard` devices take is not sampled, for
    nothing is learned of it just now. Returns the decision and the account after it.
    """
    head = explore_head(settings, rng)
    bold = decide(parameters, platform, state, goal, head, rng, profile, unavailable, unheard)
    if account is None or head is None or not bold.devices:
        return bold, account
    safe = decide(parameters, platform, state, goal, None, None, profile, unavailable)
    expected = read(platform, bold.devices, bold.assignment, safe.table)
    loss = max(0.0, sum(expected.values()) / len(expected) - safe.average_ms)
    income = account.share * safe.average_ms
    if loss <= account.saved + income:
        return bold, account.after(income, loss)
    return safe, account.after(income, 0.0)


def explore_head(settings: HybridSettings, rng: np.random.Generator) -> int | None:
    """One head per round (Thompson sampling); None, the mean, when exploring by epsilon."""
    return int(rng.integers(settings.members)) if settings.epsilon is None else None
