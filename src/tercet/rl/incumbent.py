"""The best assignment so far, and what is offered to replace it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tercet.rl.assignment_problem import UNIT, Problem
from tercet.rl.local_search import Position

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


class Incumbent:
    """The best assignment so far and its cost."""

    def __init__(self, problem: Problem, choice: Integers) -> None:
        self.problem, self.cost = problem, np.inf
        self.choice = choice
        self.offer(choice)

    def offer(self, choice: Integers) -> None:
        """Repair and improve an assignment, and keep it if it is the best."""
        position = Position(self.problem, choice)
        position.repair()
        position.improve()
        self._keep(position)

    def exchange(self, price: Floats) -> None:
        """Exchange pairs of rows of the best assignment; with a price per accuracy [G]."""
        position = Position(self.problem, self.choice)
        position.exchange(price / UNIT)
        self._keep(position)

    def _keep(self, position: Position) -> None:
        total = self.problem.total_cost(position.choice)
        if total < self.cost:
            self.choice, self.cost = position.choice, total

    def offer_cheapest(self, choices: Integers, price: Floats) -> None:
        """Offer the cheapest of many [N, n], with a price per accuracy [G] on what they miss."""
        problem = self.problem
        missing = np.maximum(0, problem.required_units - problem.units_of(choices)) / UNIT
        value = problem.total_costs(choices) + missing @ price
        self.offer(choices[value.argmin()])

    def target(self, tolerance: float) -> float:
        """The bound at which the gap is `tolerance`."""
        return float(self.cost - tolerance * abs(self.cost))

    @property
    def loads(self) -> Floats:
        """Load of each node, [K]."""
        return np.asarray(self.problem.loads_of(self.choice[None])[0])
