"""Random search: the least that any agent must beat."""

from __future__ import annotations

import numpy as np

from tercet.rl.assignment_solver import solve
from tercet.rl.experience import Experience, State
from tercet.rl.goal import Goal, required_accuracy
from tercet.rl.platform import Assignment, Platform, decode


class RandomSearch:
    """A `tercet.rl.agent.Agent`: random assignments that meet the goal; greedy is the best so far.

    The best is the one of least measured mean under the same goal with the same active devices.
    """

    def __init__(self, platform: Platform, seed: int = 0) -> None:
        self.platform, self.rng = platform, np.random.default_rng(seed)
        self.best: dict[tuple[Goal, tuple[str, ...]], tuple[float, Assignment]] = {}

    def act(self, state: State, goal: Goal) -> Assignment:
        """Solve for random costs."""
        return self._drawn(state, goal, self.rng)

    def greedy(self, state: State, goal: Goal) -> Assignment:
        """The best so far; before there is one, always the same random one."""
        known = self.best.get((goal, self._active(state)))
        return self._drawn(state, goal, np.random.default_rng(0)) if known is None else known[1]

    def observe(self, experience: Experience) -> None:
        """Keep the assignment if its mean is the least."""
        key = experience.goal, self._active(experience.state)
        if key not in self.best or experience.average_ms < self.best[key][0]:
            self.best[key] = experience.average_ms, experience.assignment

    def _active(self, state: State) -> tuple[str, ...]:
        present = set(state.active)
        return tuple(d for d in self.platform.devices if d in present)

    def _drawn(self, state: State, goal: Goal, rng: np.random.Generator) -> Assignment:
        place, devices = self.platform, self._active(state)
        n, options = len(devices), len(place.options)
        required = required_accuracy(goal, (place.accuracy[o.variant] for o in place.options))
        costs = np.repeat(rng.random((n, options, 1)), n, axis=2)
        offered = np.array([[place.offers(d, o) for o in place.options] for d in devices])
        demand = np.array([state.demand.get(d, 1.0) for d in devices])
        found = solve(
            costs,
            place.option_accuracy,
            required,
            ["L"] * options,  # No cost depends on load.
            allowed=offered,
            demand=demand,
        )
        return decode(place, devices, found.choice)
