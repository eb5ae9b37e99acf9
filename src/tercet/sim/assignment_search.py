"""A search for the best assignment of any fleet whose costs depend on load, for the oracle alone.

A price on accuracy is bisected; under each, the changes of single devices that help most, with
what they do to the others, are made together, half as many whenever that was too many. At the end
single changes and pairs of changes are tried until none helps. No gap is proven.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tercet.rl.goal import SLACK
from tercet.sim.load_costs import LoadCosts

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

BISECTIONS = 14
EVALUATED = 150_000
"""Numbers that an improvement may evaluate: candidate changes times devices."""
MOST_PAIRED = 600
"""Single changes of which pairs are formed."""
MOST_STARTS, STARTED = 12, 80
"""Random starts at most, and devices that they have together: none for a large fleet."""
PRICES, MOST_PRICED = (1.0, 1.5, 3.0), 8
"""Multiples of the price found from which each start descends, in fleets up to that size."""
BETTER = 1e-9
"""Relative improvement that counts."""


@dataclass(frozen=True)
class AssignmentSearch:
    """n devices, O options."""

    costs: LoadCosts
    share: Floats
    """Share of each device in the requests, [n]."""
    accuracy: Floats
    """[O], percent."""
    offered: NDArray[np.bool_]
    """[n, O]"""
    required: float
    means: Callable[[Integers], Floats]
    """True mean cost [N] of assignments [N, n]."""

    def best(self) -> Integers | None:
        """The best assignment found, [n]; None when the goal cannot be met."""
        most = np.where(self.offered, self.accuracy, -np.inf)
        if not self._met(most.argmax(axis=1)):
            return None
        found, price = self._fastest(), 0.0
        found = self._descend(found, price)
        if not self._met(found):
            found, price = self._bisect(found, most.argmax(axis=1))
        found = self._polish(found)
        priced = PRICES if price and len(found) <= MOST_PRICED else PRICES[:1]
        for start, factor in itertools.product(self._starts(), priced):
            other = self._descend(start, factor * price)
            if self._met(other):
                found = min(found, self._polish(other), key=self._true)
        return found

    def _starts(self) -> list[Integers]:
        """Random assignments of what is offered."""
        starts, rng = min(MOST_STARTS, STARTED // len(self.share)), np.random.default_rng(0)
        drawn = rng.random((starts, *self.offered.shape)) * self.offered
        return list(drawn.argmax(axis=2))

    def _true(self, choice: Integers) -> float:
        return float(self.means(choice[None])[0])

    def mean_ms(self, choice: Integers) -> float:
        """Mean cost of a request under `choice` [n]."""
        return float(self._now(choice, self._loads(choice)) @ self.share)

    def _met(self, choice: Integers) -> bool:
        return float(self.accuracy[choice] @ self.share) >= self.required - SLACK

    def _fastest(self) -> Integers:
        """Everyone alone."""
        alone = np.where(self.offered, self.costs.cost(self.costs.work), np.inf)
        fastest: Integers = alone.argmin(axis=1)
        return fastest

    def _bisect(self, low: Integers, high: Integers) -> tuple[Integers, float]:
        """Assignments under growing prices; the cheapest that meets the goal, and its price."""
        best, cost = high, self.mean_ms(high)
        least, price = 0.0, self.mean_ms(low) / 100.0
        most = np.inf
        for _ in range(BISECTIONS):
            found = self._descend(low, price)
            if self._met(found):
                most = price
                if self.mean_ms(found) < cost:
                    best, cost = found, self.mean_ms(found)
            else:
                least, low = price, found
            price = 4.0 * price if np.isinf(most) else 0.5 * (least + most)
        return best, price if np.isinf(most) else most

    def _descend(self, choice: Integers, price: float) -> Integers:
        """Change many devices at a time while mean cost less price x accuracy falls."""
        value, count = self._priced(choice, price), len(choice)
        while count:
            change = self.changes(choice) - price * self._gains(choice)
            option = change.argmin(axis=1)
            gain = change[np.arange(len(choice)), option]
            order = np.argsort(gain)[:count]
            order = order[gain[order] < 0.0]
            if not len(order):
                break
            changed = choice.copy()
            changed[order] = option[order]
            fresh = self._priced(changed, price)
            if fresh < value - BETTER * abs(value):
                choice, value = changed, fresh
            else:
                count = min(count, len(order)) // 2
        return choice

    def _priced(self, choice: Integers, price: float) -> float:
        return self.mean_ms(choice) - price * float(self.accuracy[choice] @ self.share)

    def _polish(self, choice: Integers) -> Integers:
        """Single changes and pairs that keep the goal met, until none helps; true costs."""
        cost = self._true(choice)
        while True:
            tried = self._candidates(choice)
            if not len(tried):
                return choice
            totals = self.means(tried)
            if totals.min() >= cost - BETTER * abs(cost):
                return choice
            choice, cost = tried[int(totals.argmin())], float(totals.min())

    def _candidates(self, choice: Integers) -> Integers:
        """The most promising single changes, and pairs of them, that meet the goal, [N, n]."""
        n, options = self.offered.shape
        change, gain = self.changes(choice).ravel(), self._gains(choice).ravel()
        device, option = np.divmod(np.arange(n * options), options)
        slack = float(self.accuracy[choice] @ self.share) - self.required + SLACK
        usable = np.flatnonzero(np.isfinite(change) & (option != choice[device]))
        limit = max(20, EVALUATED // n)
        single = usable[gain[usable] >= -slack]
        single = single[np.argsort(change[single], kind="stable")[:limit]]
        few = self._to_pair(usable, change, gain)
        both = change[few][:, None] + change[few]
        fits = gain[few][:, None] + gain[few] >= -slack
        fits &= device[few][:, None] != device[few]
        pairs = np.argsort(np.where(np.triu(fits, 1), both, np.inf), axis=None)[:limit]
        pairs = pairs[: int(np.triu(fits, 1).sum())]
        tried = np.repeat(choice[None], len(single) + len(pairs), axis=0)
        tried[np.arange(len(single)), device[single]] = option[single]
        later = np.arange(len(single), len(tried))
        for members in (few[pairs // max(len(few), 1)], few[pairs % max(len(few), 1)]):
            tried[later, device[members]] = option[members]
        met = self.accuracy[tried] @ self.share >= self.required - SLACK
        kept: Integers = tried[met]
        return kept

    def _to_pair(self, usable: Integers, change: Floats, gain: Floats) -> Integers:
        """Changes that are cheap, or buy accuracy cheaply, or sell it dearly."""
        if len(usable) <= MOST_PAIRED:
            return usable
        rate = change[usable] / np.maximum(np.abs(gain[usable]), 1e-9)
        third = MOST_PAIRED // 3
        buys, sells = gain[usable] > 0.0, gain[usable] < 0.0
        chosen = [
            usable[np.argsort(change[usable])[:third]],
            usable[buys][np.argsort(rate[buys])[:third]],
            usable[sells][np.argsort(rate[sells])[:third]],
        ]
        return np.unique(np.concatenate(chosen))

    def changes(self, choice: Integers) -> Floats:
        """First-order estimate of the change of the mean cost by each single change, [n, O]."""
        costs, rows = self.costs, np.arange(len(choice))
        loads = self._loads(choice)
        own = self._own(choice)
        stays = costs.node == own[:, None]
        work = costs.work[rows, choice]
        load = self._at(loads, costs.node) + costs.work - np.where(stays, work[:, None], 0.0)
        after = costs.cost(np.where(costs.node < 0, costs.work, load))
        now = after[rows, choice]
        joined, left = (self._pressure(choice, load, after, sign) for sign in (1.0, -1.0))
        entering = self._at(joined[0], costs.node) * costs.work
        entering -= np.where(stays, joined[1][:, None] * costs.work, 0.0)
        leaving = (self._at(left[0], own) - left[1]) * work
        change = self.share[:, None] * (after - now[:, None]) + entering - leaving[:, None]
        return np.where(self.offered, change, np.inf)

    def _pressure(
        self, choice: Integers, load: Floats, cost: Floats, sign: float
    ) -> tuple[Floats, Floats]:
        """What one unit more (sign 1) or less (-1) on a node costs its users, by node and user."""
        costs, rows = self.costs, np.arange(len(choice))
        step = sign * max(float(costs.work.mean()), 1e-9)
        moved = costs.cost(np.where(costs.node < 0, load, np.maximum(load + step, 0.0)))
        own = self._own(choice)
        each = self.share * (moved - cost)[rows, choice] / step * (own >= 0)
        nodes = int(costs.node.max()) + 2
        return np.bincount(own + 1, each, minlength=nodes)[1:].astype(np.float64), each

    def _gains(self, choice: Integers) -> Floats:
        """Change of the mean accuracy by each single change, [n, O]."""
        return self.share[:, None] * (self.accuracy - self.accuracy[choice][:, None])

    def _own(self, choice: Integers) -> Integers:
        own: Integers = self.costs.node[np.arange(len(choice)), choice]
        return own

    def _loads(self, choice: Integers) -> Floats:
        """Load of every shared node."""
        own = self._own(choice)
        work = self.costs.work[np.arange(len(choice)), choice]
        counted = np.bincount(own + 1, work, minlength=int(self.costs.node.max()) + 2)[1:]
        return counted.astype(np.float64)

    def _now(self, choice: Integers, loads: Floats) -> Floats:
        """Cost of each device, [n]."""
        costs, rows = self.costs, np.arange(len(choice))
        load = np.where(costs.node < 0, costs.work, self._at(loads, costs.node))
        now: Floats = costs.cost(load)[rows, choice]
        return now

    @staticmethod
    def _at(values: Floats, node: Integers) -> Floats:
        """The value of each node, 0 where there is none, in the shape of `node`."""
        padded = np.append(values, 0.0)
        found: Floats = padded[node]
        return found
