"""Long-run mean costs of policies in worlds whose state depends on what is assigned.

All policies meet the same random numbers: those of a window do not depend on the assignment.
"""

from __future__ import annotations

from collections.abc import Callable

from tercet.rl.experience import State
from tercet.rl.goal import Goal
from tercet.rl.platform import Assignment, decode, encode
from tercet.sim import backlog_planner, temperature_planner
from tercet.sim.carry_over import CarryOverWorld
from tercet.sim.environment import Environment, active
from tercet.sim.oracle import Oracle, weights
from tercet.sim.throttling import ThrottlingWorld

Policy = Callable[[State], Assignment]
"""What to execute in a state."""


def long_run_ms(
    world: Environment, policy: Policy, windows: int, seed: int, skip: int = 0
) -> float:
    """Mean expected cost of a request over `windows` windows, after `skip` that do not count.

    Raises ValueError when `windows` is below 1.
    """
    state = world.reset(seed)
    for _ in range(skip):
        state = world.step(policy(state)).state
    return continued_ms(world, policy, state, windows)


def continued_ms(world: Environment, policy: Policy, state: State, windows: int) -> float:
    """The same from the world's present state on, which is `state`."""
    if windows < 1:
        raise ValueError(f"windows must be at least 1, not {windows}")
    place, total, requests = world.platform, 0.0, 0.0
    for _ in range(windows):
        assignment, devices = policy(state), active(place, state)
        asked = sum(state.demand.get(d, 1.0) for d in devices)
        times = world.expected_ms(state, encode(place, devices, assignment)[None])[0]
        total += asked * float(times @ weights(place, state))
        requests += asked
        state = world.step(assignment).state
    return total / requests


def always(assignment: Assignment) -> Policy:
    """The same assignment in every state."""
    return lambda state: assignment


def myopic(world: Environment, goal: Goal) -> Policy:
    """The optimum of each state by itself, under the true costs."""
    oracle, place, known = Oracle(world), world.platform, dict[object, Assignment]()

    def policy(state: State) -> Assignment:
        name = (state.active, tuple(state.nodes.values()), tuple(state.demand.values()))
        if name not in known:
            choice = oracle.optimum(state, goal).choice
            known[name] = decode(place, active(place, state), choice)
        return known[name]

    return policy


def planner(world: Environment, goal: Goal) -> Policy:
    """The best policy under the true dynamics, by joint value iteration.

    For `sim.carry_over` with one edge and `sim.throttling` with up to four devices; raises
    ValueError for other worlds.
    """
    if isinstance(world, CarryOverWorld):
        return backlog_planner.plan(world, goal)
    if isinstance(world, ThrottlingWorld):
        return temperature_planner.plan(world, goal)
    raise ValueError("no true planner is known for this world")


def best_fixed(
    world: Environment, goal: Goal, windows: int, seed: int, skip: int = 0
) -> tuple[Assignment, float]:
    """The best assignment that never changes, and its long-run mean cost.

    Candidates are the cheapest in the long run for every load of the edge, or for every set of
    devices that run locally; all of them are simulated. Raises ValueError for other worlds.
    """
    if isinstance(world, CarryOverWorld):
        candidates = backlog_planner.fixed_candidates(world, goal)
    elif isinstance(world, ThrottlingWorld):
        candidates = temperature_planner.fixed_candidates(world, goal)
    else:
        raise ValueError("the long-run fixed assignment of this world is not known")
    costs = [long_run_ms(world, always(a), windows, seed, skip) for a in candidates]
    best = costs.index(min(costs))
    return candidates[best], costs[best]
