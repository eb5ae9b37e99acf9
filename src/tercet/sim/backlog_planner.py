"""The true planner of a world with one queue that carries over: value iteration on its backlog.

The next backlog depends on the assignment only through the number of requests sent to the edge. So
for each backlog and number the cheapest assignment is listed, and the numbers are planned.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from math import comb

import numpy as np
from numpy.typing import NDArray

from tercet.rl.experience import State
from tercet.rl.goal import SLACK, Goal
from tercet.rl.platform import Assignment, decode
from tercet.sim.carry_over import MOST_WAITING, CarryOverWorld
from tercet.sim.environment import active
from tercet.sim.oracle import Oracle, offers

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

MOST_ASSIGNMENTS = 300_000
"""Assignments without dominated local variants that are listed at most."""
TOLERANCE = 1e-7
"""Change of the relative values, milliseconds, at which the iteration ends."""


@dataclass(frozen=True)
class Listed:
    """Every sensible assignment of a world with one edge, and its cost at every backlog."""

    choices: Integers
    """[A, n]"""
    sent: Integers
    """Requests sent to the edge, [A]."""
    costs: Floats
    """Mean cost, [backlogs, A]."""

    @classmethod
    def of(cls, world: CarryOverWorld, goal: Goal) -> Listed:
        """List them; raises ValueError for several edges or too many assignments."""
        place, state = world.platform, world.initial
        if len(place.edges) != 1:
            raise ValueError(f"edges: the true planner knows one, not {len(place.edges)}")
        options = _useful(world, state, goal)
        count = int(np.prod([float(len(o)) for o in options]))
        if count > MOST_ASSIGNMENTS:
            raise ValueError(f"{count} assignments are too many for the true planner")
        choices = np.array(list(itertools.product(*options)), dtype=np.int64)
        accuracy = place.option_accuracy[choices].mean(axis=1)
        choices = choices[accuracy >= Oracle(world).required(goal) - SLACK]
        tier = np.array([o.tier for o in place.options])
        costs = [
            world.expected_ms(world.with_backlog(state, (waiting,)), choices).mean(axis=1)
            for waiting in range(MOST_WAITING + 1)
        ]
        return cls(choices, (tier[choices] == "E").sum(axis=1), np.array(costs))

    def cheapest(self, costs: Floats) -> tuple[Integers, Floats]:
        """Index and cost of the cheapest assignment by requests sent, both [..., n + 1]."""
        loads = range(self.choices.shape[1] + 1)
        masked = [np.where(self.sent == load, costs, np.inf) for load in loads]
        index = np.stack([m.argmin(axis=-1) for m in masked], axis=-1)
        return index, np.stack([m.min(axis=-1) for m in masked], axis=-1)


def _useful(world: CarryOverWorld, state: State, goal: Goal) -> list[list[int]]:
    """Offered options of each device, without local ones that are slower and no more accurate."""
    place, devices = world.platform, active(world.platform, state)
    accuracy, offered = place.option_accuracy, offers(place, devices)
    useful = []
    for i in range(len(devices)):
        own = [k for k, o in enumerate(place.options) if o.tier == "L" and offered[i, k]]
        ms = {k: world.expected_ms(state, np.full((1, len(devices)), k))[0, i] for k in own}
        ranked = sorted(own, key=lambda k: (ms[k], -accuracy[k]))
        best = [
            k for j, k in enumerate(ranked) if all(accuracy[k] > accuracy[m] for m in ranked[:j])
        ]
        shared = [k for k, o in enumerate(place.options) if o.tier != "L" and offered[i, k]]
        useful.append((best[:1] if goal == "min" else best) + shared)
    return useful


def transitions(world: CarryOverWorld) -> Floats:
    """P(next backlog | backlog, requests sent), [backlogs, n + 1, backlogs]."""
    most, users = MOST_WAITING, len(world.platform.devices)
    tries = 2 * round(world.drain)
    chance = np.zeros((most + 1, users + 1, most + 1))
    for waiting, sent, gone in itertools.product(
        range(most + 1), range(users + 1), range(tries + 1)
    ):
        after = min(max(waiting + sent - gone, 0), most)
        chance[waiting, sent, after] += comb(tries, gone) / 2.0**tries
    return chance


def plan(world: CarryOverWorld, goal: Goal) -> Callable[[State], Assignment]:
    """The policy of least long-run mean cost, by relative value iteration."""
    listed, chance = Listed.of(world, goal), transitions(world)
    index, cost = listed.cheapest(listed.costs)  # [backlogs, n + 1]
    value = np.zeros(MOST_WAITING + 1)
    while True:
        ahead = cost + chance @ value
        fresh = ahead.min(axis=1)
        fresh = fresh - fresh[0]
        if np.abs(fresh - value).max() < TOLERANCE:
            break
        value = fresh
    sent = ahead.argmin(axis=1)
    place = world.platform

    def policy(state: State) -> Assignment:
        (waiting,) = world.backlog(state)
        choice = listed.choices[index[waiting, sent[waiting]]]
        return decode(place, place.devices, choice)

    return policy


def fixed_candidates(world: CarryOverWorld, goal: Goal) -> list[Assignment]:
    """For each number of requests sent, the assignment of least cost at its long-run backlog."""
    listed, chance, place = Listed.of(world, goal), transitions(world), world.platform
    found: list[Assignment] = []
    for sent in range(len(place.devices) + 1):
        if not (listed.sent == sent).any():
            continue
        share = np.linalg.matrix_power(chance[:, sent], 4096)[0]
        index, _ = listed.cheapest(share @ listed.costs)
        found.append(decode(place, place.devices, listed.choices[index[sent]]))
    return found
