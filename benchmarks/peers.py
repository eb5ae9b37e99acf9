"""Verb `peers`: agents of other projects on the Gymnasium wrapper.

Steps are real steps, as in table 6. The agents are stable-baselines3's DQN (joint actions) and PPO
(one option per device), with its defaults except where noted, and the idea of DROO (Huang et al.,
2020): a network proposes a relaxed action, a model of the costs rates order-preserving candidates
around it, the best is executed and imitated. DROO has its costs in closed form; here a candidate's
cost is the mean of the measurements for each (device, option), so contention enters on average
only.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import summary
from benchmarks.result_store import Cell
from benchmarks.summary import (
    REGRET_HEADER,
    REGRET_TEXT,
    Row,
    has_regrets,
    markdown,
    regret_columns,
    shown,
)
from tercet.rl.experience import Experience, Outcome, State
from tercet.rl.goal import Goal, required_accuracy
from tercet.rl.platform import Assignment, Platform, decode, encode
from tercet.sim import scenarios
from tercet.sim.environment import Environment
from tercet.sim.gym import Orchestration
from tercet.sim.oracle import Oracle
from tercet.sim.run_loop import FIRST, LAST, WITHIN, Convergence, Regrets, play

PEERS = ("sb3-dqn", "sb3-ppo", "droo")
EVERY = 50
"""Real steps between two evaluations of a stable-baselines3 agent's greedy assignment."""


def cells(goals: list[Goal], steps: int, seeds: int) -> list[Cell]:
    """Three users: 1,000 joint actions."""
    return [
        _cell(peer, goal, steps, seed) for seed in range(seeds) for peer in PEERS for goal in goals
    ]


def _cell(peer: str, goal: Goal, steps: int, seed: int) -> Cell:
    key = {"agent": peer, "users": 3, "constraint": goal, "cap": steps, "seed": seed}

    def compute() -> Row:
        return _droo(goal, steps, seed) if peer == "droo" else _sb3(peer, goal, steps, seed)

    return Cell(key, compute, has_regrets)


def _sb3(peer: str, goal: Goal, steps: int, seed: int) -> Row:
    """Train in slices of EVERY steps and evaluate after each."""
    from stable_baselines3 import DQN, PPO

    world = Recorded(scenarios.paper("A", 3), goal)
    joint = peer == "sb3-dqn"
    env = Orchestration(world, goal, "joint" if joint else "multi")
    shared: dict[str, Any] = {"seed": seed, "device": "cpu", "gamma": 0.0}
    agent = (
        DQN("MlpPolicy", env, learning_starts=100, target_update_interval=500, **shared)
        if joint
        else PPO("MlpPolicy", env, n_steps=128, batch_size=64, ent_coef=0.01, **shared)
    )
    oracle, last_bad, done = world.true.oracle, 0, 0
    while done < steps:
        agent.learn(EVERY if joint else 128, reset_num_timesteps=False)
        done = int(agent.num_timesteps)
        observation = env.observe()
        action, _ = agent.predict(observation, deterministic=True)
        choice = decode(world.platform, world.platform.devices, env.choice(action))
        if not oracle.regret(env.state, goal, choice) <= WITHIN:
            last_bad = done
        if done - last_bad > max(500, done // 10):
            break
    return {"steps": last_bad + EVERY if last_bad < done else None, **world.regrets()}


class Recorded:
    """An environment that records the regret of what is executed on it."""

    def __init__(self, world: Environment, goal: Goal) -> None:
        self.world, self.goal = world, goal
        self.true = Regrets(Oracle(world))
        self.state = State(world.platform.devices)
        self.executed: list[tuple[float, float, float]] = []

    @property
    def platform(self) -> Platform:
        """The world's."""
        return self.world.platform

    def reset(self, seed: int) -> State:
        """As the world's."""
        self.state = self.world.reset(seed)
        return self.state

    def step(self, assignment: Assignment) -> Outcome:
        """As the world's; the regret is recorded."""
        self.executed.append(self.true.of(self.state, self.goal, assignment))
        outcome = self.world.step(assignment)
        self.state = outcome.state
        return outcome

    def expected_ms(self, state: State, assignments: NDArray[np.int64]) -> NDArray[np.float64]:
        """The world's."""
        return self.world.expected_ms(state, assignments)

    def regrets(self) -> Row:
        """The figures that stand beside steps."""
        charges = [charge for _, charge, _ in self.executed]
        return {
            "cumulative_50": round(sum(charges[:FIRST]), 4),
            "executed_last_50": round(float(np.mean(charges[-LAST:])), 5),
            "goal_misses": sum(math.isinf(regret) for regret, _, _ in self.executed),
        }


class Droo:
    """A `tercet.rl.agent.Agent`: candidates around a relaxed action, imitation of the best."""

    def __init__(self, platform: Platform, seed: int, candidates: int = 16) -> None:
        self.platform, self.candidates = platform, candidates
        self.rng = np.random.default_rng(seed)
        shape = (len(platform.devices), len(platform.options))
        self.logits = np.zeros(shape)
        self.sums, self.counts = np.zeros(shape), np.zeros(shape)

    def act(self, state: State, goal: Goal) -> Assignment:
        """Best of the candidates around a noisy relaxed action."""
        noise = self.rng.gumbel(size=self.logits.shape)
        return self._best(self.logits + noise, goal)

    def greedy(self, state: State, goal: Goal) -> Assignment:
        """Best of the candidates around the relaxed action itself."""
        return self._best(self.logits, goal)

    def observe(self, experience: Experience) -> None:
        """Assign the mean cost to every device's option; imitate the executed assignment."""
        place = self.platform
        choice = encode(place, place.devices, experience.assignment)
        device = np.arange(len(choice))
        self.sums[device, choice] += experience.average_ms
        self.counts[device, choice] += 1
        share = np.exp(self.logits - self.logits.max(axis=1, keepdims=True))
        share /= share.sum(axis=1, keepdims=True)
        self.logits -= 0.1 * share
        self.logits[device, choice] += 0.1

    def _best(self, relaxed: Any, goal: Goal) -> Assignment:
        place = self.platform
        required = required_accuracy(goal, (place.accuracy[o.variant] for o in place.options))
        # Order-preserving: the k-th candidate changes the k least certain entries.
        order = np.argsort(-relaxed, axis=1)
        found = [order[:, 0]]
        margin = relaxed.max(axis=1) - relaxed[np.arange(len(order)), order[:, 1]]
        for k in range(self.candidates):
            changed = order[:, 0].copy()
            device = np.argsort(margin)[k % len(order)]
            changed[device] = order[device, (1 + k // len(order)) % order.shape[1]]
            found.append(changed)
        accurate = int(place.option_accuracy.argmax())
        found.append(np.full(len(order), accurate))
        cost = np.where(self.counts > 0, self.sums / np.maximum(self.counts, 1), 0.0)
        device = np.arange(len(order))
        met = [c for c in found if place.option_accuracy[c].mean() >= required - 1e-9]
        return decode(place, place.devices, min(met, key=lambda c: float(cost[device, c].sum())))


def _droo(goal: Goal, steps: int, seed: int) -> Row:
    world, convergence = scenarios.paper("A", 3), Convergence()
    for step in play(world, Droo(world.platform, seed), goal, steps, seed, "mean"):
        convergence.add(step)
        if convergence.held > max(500, step.step // 10):
            break
    return {"steps": convergence.steps, **convergence.regrets()}


def gather(runs: list[Row]) -> list[Row]:
    """One row per peer and goal."""
    return summary.gather(runs, ("agent", "users", "constraint", "cap"), ("seed", "steps"))


def render(rows: list[Row]) -> str:
    """Markdown."""
    header = ["agent", "users", "goal", "median steps", "worst", "cap", "per seed",
              *REGRET_HEADER]  # fmt: skip
    body: list[list[object]] = [
        [
            row["agent"],
            row["users"],
            row["constraint"],
            shown(row["median"]),
            shown(row["worst"]),
            row["cap"],
            row["steps"],
            *regret_columns(row),
        ]
        for row in rows
    ]
    text = f"Scenario A, three users, mean feedback.\n{REGRET_TEXT}"
    return f"{text}\n\n{markdown(header, body)}"
