"""Verb `newcomer`: a device joins a running system; regret of ten rounds, by prior.

The agent is trained with four devices; then a fifth joins, of which it has no experience. Three
agents differ only in the start-up profiles that they get: `none`, `all but the newcomer`, or `all`.
A profile is compute time with a little noise; it contains nothing of links, contention or load.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from statistics import fmean

import numpy as np

from benchmarks.result_store import Cell
from benchmarks.summary import Row, markdown
from tercet.rl.experience import Experience, State
from tercet.rl.goal import Goal
from tercet.rl.hybrid import Hybrid
from tercet.rl.platform import Assignment, Platform
from tercet.sim import scenarios
from tercet.sim.oracle import Oracle
from tercet.sim.run_loop import NOISE_SEED
from tercet.sim.world import Physics, World

BEFORE, FIRST = 40, 10
"""Rounds before it joins, and rounds that are counted."""
PROFILE_NOISE = 0.05
"""Relative noise of a profiled time."""
PRIORS = ("none", "all but the newcomer", "all")

Times = dict[str, dict[str, float]]


def _slow() -> World:
    """The newcomer is three times as slow as the paper's devices."""
    return _with_newcomer(3.0)


def _fast() -> World:
    """The newcomer is three times as fast as the paper's devices."""
    return _with_newcomer(1 / 3)


def _with_newcomer(speed: float) -> World:
    world = scenarios.paper("A", 5)
    speeds = np.append(np.ones(4), speed)
    return World(world.platform, replace(world.physics, speed=speeds), world.initial)


WORLDS: Mapping[str, Callable[[int], World]] = {
    "slow newcomer": lambda _seed: _slow(),
    "fast newcomer": lambda _seed: _fast(),
    "alike": lambda _seed: scenarios.paper("A", 5),
    "unequal": lambda seed: scenarios.unequal(5, seed + 1),
    "unequal and crowded": lambda seed: scenarios.unequal_and_crowded(5, seed + 1),
}
"""Each with five devices, the last of which is the newcomer."""


def profiles(platform: Platform, physics: Physics, rng: np.random.Generator) -> Times:
    """Compute times that each node would measure at start-up, without load."""
    data, found = physics.calibration, Times()

    def measured(speed: float, local: Mapping[str, float]) -> dict[str, float]:
        return {
            v: speed * ms * float(np.exp(rng.normal(0, PROFILE_NOISE))) for v, ms in local.items()
        }

    times = {f"d{k}": float(ms) for k, ms in enumerate(data.local)}
    for device, speed in zip(platform.devices, physics.speed, strict=True):
        found[device] = measured(float(speed), times)
    for edge, speed in zip(platform.edges, physics.node_speed[:-1], strict=True):
        found[edge] = measured(float(speed), {"d0": sum(data.edge)})
    found[platform.cloud] = measured(float(physics.node_speed[-1]), {"d0": sum(data.cloud)})
    return found


def cells(goals: list[Goal], seeds: int) -> list[Cell]:
    """One cell per world, prior, goal and seed."""
    return [
        _cell(world, prior, goal, seed)
        for seed in range(seeds)
        for world in WORLDS
        for prior in PRIORS
        for goal in goals
    ]


def _cell(world: str, prior: str, goal: Goal, seed: int) -> Cell:
    key = {"world": world, "prior": prior, "constraint": goal, "seed": seed}
    return Cell(key, lambda: compute(world, prior, goal, seed))


def compute(name: str, prior: str, goal: Goal, seed: int) -> Row:
    """One run; regret of what was executed, and of the greedy assignment, in the first rounds."""
    world = WORLDS[name](seed)
    whole, oracle = world.platform, Oracle(world)
    known = profiles(whole, world.physics, np.random.default_rng(seed))
    newcomer = whole.devices[-1]
    if prior == "none":
        known = {}
    elif prior != "all":
        known.pop(newcomer)
    without_newcomer = replace(whole, devices=whole.devices[:-1], home=whole.home[:-1])
    earlier = {node: times for node, times in known.items() if node != newcomer}
    agent = Hybrid(without_newcomer, seed, profile=earlier)
    world.reset(seed + NOISE_SEED)
    world.state = state = State(without_newcomer.devices, world.initial.nodes)
    for _ in range(BEFORE):
        _round(world, agent, state, goal)
    agent.change_platform(whole, known)
    world.state = state = State(whole.devices, world.initial.nodes)
    executed, greedy = [], []
    for _ in range(FIRST):
        greedy.append(oracle.regret(state, goal, agent.greedy(state, goal)))
        executed.append(oracle.regret(state, goal, _round(world, agent, state, goal)))
    return {"executed": _shares(executed), "greedy": _shares(greedy)}


def _round(world: World, agent: Hybrid, state: State, goal: Goal) -> Assignment:
    """One real step with its update; the executed assignment."""
    chosen = agent.act(state, goal)
    outcome = world.step(chosen)
    agent.observe(
        Experience(state, chosen, outcome.response_ms, outcome.average_ms, outcome.state, goal)
    )
    return chosen


def _shares(regrets: list[float]) -> list[float | None]:
    """Rounded; None where the goal was missed."""
    return [None if np.isinf(regret) else round(float(regret), 4) for regret in regrets]


def gather(runs: list[Row]) -> list[Row]:
    """One row per world, goal and prior: mean regret of the first rounds, by seed."""
    rows = []
    grouped: dict[tuple[object, ...], list[Row]] = {}
    for run in runs:
        grouped.setdefault((run["world"], run["constraint"], run["prior"]), []).append(run)
    order = sorted(
        grouped, key=lambda key: (list(WORLDS).index(str(key[0])), PRIORS.index(str(key[2])))
    )
    for key in order:
        (world, goal, prior), own = key, grouped[key]
        row: Row = {"world": world, "constraint": goal, "prior": prior, "seeds": len(own)}
        for kind in ("executed", "greedy"):
            means = [fmean(r for r in run[kind] if r is not None) for run in own]
            row[kind] = [round(mean, 4) for mean in means]
            row[f"{kind}_median"] = round(float(np.median(means)), 4)
            row[f"{kind}_first"] = round(float(np.median([run[kind][0] for run in own])), 4)
            row[f"{kind}_missed"] = sum(r is None for run in own for r in run[kind])
        rows.append(row)
    return rows


def render(rows: list[Row]) -> str:
    """Markdown."""
    header = ["world", "goal", "prior", "executed", "worst seed", "greedy", "worst seed",
              "greedy, first round", "seeds"]  # fmt: skip
    body: list[list[object]] = [
        [
            row["world"], row["constraint"], row["prior"],
            f"{row['executed_median']:.1%}", f"{max(row['executed']):.1%}",
            f"{row['greedy_median']:.1%}", f"{max(row['greedy']):.1%}",
            f"{row['greedy_first']:.1%}", row["seeds"],
        ]
        for row in rows
    ]  # fmt: skip
    text = f"Mean regret of the newcomer's first {FIRST} rounds, median of the seeds."
    return f"{text}\n\n{markdown(header, body)}"
