"""Linear transitions of one condition, from sums; values at the lower bound are censored (Tobit).

An empty queue hides how far below nothing its next value would be. Such a value is replaced by its
expectation below the bound, under what is known so far (one step of expectation maximisation).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tercet.rl.planning.conditions import FIELDS

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]

TERMS = 4
"""Constant, present value, load, work."""

KEPT = 0.998
"""Share of old evidence that is kept per window."""

SHARED_COUNT = 10.0
"""Transitions of its tier's mean that count with those of each node."""

RIDGE = 1e-3
"""Precision of the prior (the value persists), relative to one mean transition."""

F = len(FIELDS)


@dataclass(frozen=True)
class Fit:
    """Coefficients of E conditions."""

    mean: Floats
    """[E, TERMS]"""
    precision: Floats
    """Relative to the noise, [E, TERMS, TERMS]."""
    noise: Floats
    """Standard deviation of the residual, [E]."""
    low: Floats
    """Lower bound, [E]; -inf: none."""

    def expected(self, terms: Floats) -> Floats:
        """Next values without bound, [E, ...] for terms [E, ..., TERMS]."""
        found: Floats = np.einsum("e...t,et->e...", terms, self.mean)
        return found

    def drawn(self, normal: Floats) -> Fit:
        """Other coefficients from the posterior, by standard normal numbers [E, TERMS]."""
        root = np.linalg.cholesky(np.linalg.inv(self.precision))
        moved = self.noise[:, None] * np.einsum("est,et->es", root, normal)
        return Fit(self.mean + moved, self.precision, self.noise, self.low)


@dataclass
class Sums:
    """Sums over the transitions of N nodes and F fields."""

    moments: Floats = field(default_factory=lambda: np.zeros((0, F, TERMS + 1, TERMS + 1)))
    """Second moments of (constant, present, load, work, next)."""
    squares: Floats = field(default_factory=lambda: np.zeros((0, F, 2)))
    """Squared errors of what was predicted one window ahead and not censored, and their count."""
    low: Floats = field(default_factory=lambda: np.full((0, F), np.inf))
    high: Floats = field(default_factory=lambda: np.full((0, F), -np.inf))
    at_low: Floats = field(default_factory=lambda: np.zeros((0, F)))
    """How often exactly the lowest value was seen."""

    def grow(self, nodes: int) -> None:
        """Make room."""
        for name, fill in (("moments", 0.0), ("squares", 0.0), ("low", np.inf),
                           ("high", -np.inf), ("at_low", 0.0)):  # fmt: skip
            known = getattr(self, name)
            more = np.full((nodes - len(known), *known.shape[1:]), fill)
            setattr(self, name, np.concatenate([known, more]))

    def moving(self) -> Booleans:
        """Which conditions were seen to change, [N, F]."""
        return np.asarray(self.high > self.low)

    def observe(
        self, node: Integers, before: Floats, load: Floats, work: Floats, after: Floats,
        tier: Integers,
    ) -> None:
        """Take in one transition of the nodes `node` [n]: conditions [n, F], load and work [n]."""
        self._note_range(node, before, after)
        self.moments *= KEPT
        self.squares *= KEPT
        at, f = np.nonzero(self.moving()[node])
        if not len(at):
            return
        where = node[at]
        terms = np.stack([np.ones(len(at)), before[at, f], load[at], work[at]], axis=1)
        following = after[at, f]
        fit = fitted(self, where, f, tier)
        expected = fit.expected(terms)
        censored = (following <= fit.low) & (fit.noise > 0)
        error = np.where(censored, 0.0, following - expected)
        self.squares[where, f] += np.stack([error**2, ~censored * 1.0], axis=1)
        following = np.where(censored, lowered(expected, fit.noise, fit.low), following)
        whole = np.concatenate([terms, following[:, None]], axis=1)
        self.moments[where, f] += whole[:, :, None] * whole[:, None, :]

    def _note_range(self, node: Integers, before: Floats, after: Floats) -> None:
        """Lowest and highest values, and how often the lowest."""
        least = np.minimum(self.low[node], np.minimum(before, after))
        fresh = least < self.low[node]
        self.at_low[node] = np.where(fresh, 0.0, self.at_low[node]) + (after == least)
        self.low[node] = least
        self.high[node] = np.maximum(self.high[node], np.maximum(before, after))


def fitted(sums: Sums, node: Integers, f: Integers, tier: Integers) -> Fit:
    """The transitions of some conditions [E], each with help from its tier.

    `tier` [N] is that of every node.
    """
    own = sums.moments[node, f]
    together, squares = np.zeros_like(own), np.zeros((len(node), 2))
    for t, k in set(zip(tier[node].tolist(), f.tolist(), strict=True)):
        all_of = sums.moments[tier == t, k].sum(axis=0)
        here = (tier[node] == t) & (f == k)
        together[here] = all_of / max(all_of[0, 0], 1e-9)
        squares[here] = sums.squares[tier == t, k].sum(axis=0)
    total = own + SHARED_COUNT * together
    scale = RIDGE * together[:, np.arange(TERMS), np.arange(TERMS)] + 1e-9
    left = total[:, :TERMS, :TERMS] + scale[:, :, None] * np.eye(TERMS)
    right = total[:, :TERMS, TERMS].copy()
    right[:, 1] += scale[:, 1]
    mean = np.linalg.solve(left, right[:, :, None])[:, :, 0]
    mine = sums.squares[node, f] + 0.2 * squares
    noise = np.sqrt(mine[:, 0] / np.maximum(mine[:, 1], 1.0))
    low = sums.low[node, f]
    bounded = (sums.at_low[node, f] >= 3) | (low <= 0.0)
    return Fit(mean, left, noise, np.where(bounded, low, -np.inf))


def lowered(expected: Floats, noise: Floats, low: Floats) -> Floats:
    """Expectation of a normal variable, given that it is at most `low`; all [E]."""
    safe = np.maximum(noise, 1e-9)
    z = np.clip((low - expected) / safe, -3.5, 8.0)
    density = np.exp(-0.5 * z**2) / np.sqrt(2.0 * np.pi)
    return np.asarray(np.minimum(expected - safe * density / _normal(z), low))


def _normal(z: Floats) -> Floats:
    """Distribution function of the standard normal distribution; logistic form, within 2e-4."""
    found: Floats = 1.0 / (1.0 + np.exp(-z * (1.5976 + 0.070565776 * z**2)))
    return found
