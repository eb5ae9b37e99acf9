"""An edge that serves some of the requests sent to it and refuses the rest."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tercet.rl.experience import AttemptResult, Attempts, Outcome, State
from tercet.rl.options import Option
from tercet.rl.platform import Assignment, encode
from tercet.sim.drawn import drawn_world
from tercet.sim.environment import active
from tercet.sim.load_costs import LoadCosts
from tercet.sim.world import World

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

FALLBACK = Option("d0", "L")
"""What a refused request runs instead: as accurate as what was refused."""


class RefusingWorld(World):
    """Every edge serves at most `serves` requests a window, drawn by lot, and refuses the rest.

    A refused request has lost `refusal_ms`; then it runs `FALLBACK` on its own device.
    """

    def __init__(
        self, world: World, serves: int, refusal_ms: float, result: AttemptResult = "refused"
    ) -> None:
        if not np.isinf(world.platform.deadline_ms):
            raise ValueError("deadline_ms: a world with refusals has none")
        super().__init__(world.platform, world.physics, world.initial)
        self.serves, self.refusal_ms = serves, refusal_ms
        self.result: AttemptResult = result

    def step(self, assignment: Assignment) -> Outcome:
        """One window: who is served is drawn anew, independently of the assignment."""
        place, state = self.platform, self.state
        devices = active(place, state)
        choice = encode(place, devices, assignment)
        costs, lots = self.costs(state), self.rng.random(len(choice))
        sent = self._to_edge[choice]
        node = np.where(sent, costs.node[np.arange(len(choice)), choice], -1)
        ahead = ((node == node[:, None]) & (lots < lots[:, None])).sum(axis=1)
        refused = sent & (ahead >= self.serves)
        first = costs.under(choice[None], self._bounded(costs.loads(choice[None]), sent))[0]
        first = np.where(refused, self.refusal_ms, first) * self.noise(choice)
        local = np.full(len(choice), place.index[FALLBACK])
        second = costs.expected(local[None])[0] * self.noise(local)
        attempts = {
            d: self._attempts(place.options[k], first[i], second[i], bool(refused[i]))
            for i, (d, k) in enumerate(zip(devices, choice, strict=True))
        }
        response = dict(zip(devices, (first + refused * second).tolist(), strict=True))
        self.state = self.next_state()
        return Outcome(response, self.state, attempts=attempts)

    def expected_ms(self, state: State, assignments: Integers) -> Floats:
        """Expected milliseconds, [N, n]: everyone at an edge is equally likely to be refused."""
        choices, costs = np.asarray(assignments), self.costs(state)
        load = costs.loads(choices)
        device = np.arange(choices.shape[1])
        alone, each = costs.alone[device, choices], costs.each[device, choices]
        local = costs.alone[device, self.platform.index[FALLBACK]]
        return self._mean(alone, each, local, load, choices)

    def load_costs(self, state: State) -> LoadCosts:
        """The same as a function of load, for the oracle."""
        costs = self.costs(state)
        options = np.repeat(np.arange(len(self.platform.options))[None], len(costs.node), axis=0)
        local = costs.alone[:, [self.platform.index[FALLBACK]]]

        def cost(load: Floats) -> Floats:
            return self._mean(costs.alone, costs.each, local, load, options)

        return LoadCosts(costs.node, np.ones(costs.node.shape), cost)

    def _mean(
        self, alone: Floats, each: Floats, local: Floats, load: Floats, choices: Integers
    ) -> Floats:
        """Mean cost given the load of the node, in the shape of `choices`."""
        sent = self._to_edge[choices]
        share = np.where(sent, np.minimum(1.0, self.serves / np.maximum(load, 1.0)), 1.0)
        usual = alone + each * self._bounded(load, sent) ** self.physics.contention
        served = self.mean_cost(usual, choices)
        mean: Floats = share * served + (1.0 - share) * (self.refusal_ms + local)
        return mean

    def _bounded(self, load: Floats, sent: NDArray[np.bool_]) -> Floats:
        """Load of each device's node; an edge has at most what it serves."""
        return np.where(sent, np.minimum(load, self.serves), load)

    @property
    def _to_edge(self) -> NDArray[np.bool_]:
        return np.array([o.tier == "E" for o in self.platform.options])

    def _attempts(
        self, option: Option, first_ms: float, second_ms: float, refused: bool
    ) -> tuple[Attempts, ...]:
        if not refused:
            return (Attempts(option, "ok", 1, float(first_ms)),)
        lost = Attempts(option, self.result, 1, float(first_ms))
        return (lost, Attempts(FALLBACK, "ok", 1, float(second_ms)))


def refusals(
    users: int = 6,
    seed: int = 0,
    edges: int = 1,
    serves: int | None = None,
    result: AttemptResult = "refused",
) -> RefusingWorld:
    """Each edge serves a third of its devices; a refusal takes 20 ms, a timeout two seconds.

    `result` is `refused` or `timed-out`; `serves` is the number of requests that an edge serves.
    """
    world = drawn_world(users, seed, edges, speed=(1.0, 3.0), node_speed=(0.25, 0.5))
    places = max(1, users // (3 * edges)) if serves is None else serves
    return RefusingWorld(world, places, 2000.0 if result == "timed-out" else 20.0, result)
