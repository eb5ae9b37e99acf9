"""A Gymnasium interface to any environment, to measure agents of other projects."""

from __future__ import annotations

from typing import Any, Literal

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from tercet.rl.experience import State
from tercet.rl.goal import Goal, met, required_accuracy
from tercet.rl.platform import decode
from tercet.rl.signals import signals
from tercet.sim.environment import Environment, active

PENALTY = 1.0
"""Seconds added to the cost for each percent by which the goal is missed."""


class Orchestration(gymnasium.Env[NDArray[np.float32], Any]):
    """Observation: condition of every node and who is active. Reward: minus mean seconds.

    `action="joint"` numbers all O^n assignments (Discrete; what a DQN needs, small n only);
    `action="multi"` is one option per device (MultiDiscrete). An absent device's part is ignored.
    """

    metadata = {"render_modes": []}  # noqa: RUF012 (Gymnasium's own name and type)

    def __init__(
        self,
        world: Environment,
        goal: Goal = "min",
        action: Literal["joint", "multi"] = "multi",
        horizon: int = 100,
    ) -> None:
        self.world, self.goal, self.horizon, self.steps = world, goal, horizon, 0
        place = world.platform
        n, options = len(place.devices), len(place.options)
        if action == "joint" and options**n > 10**7:
            raise ValueError(f"{options}^{n} joint actions are too many; use action='multi'")
        self.joint = action == "joint"
        self.action_space = (
            spaces.Discrete(options**n) if self.joint else spaces.MultiDiscrete([options] * n)
        )
        self.required = required_accuracy(goal, (place.accuracy[o.variant] for o in place.options))
        width = signals(place, State(())).size + n
        self.observation_space = spaces.Box(-np.inf, np.inf, (width,), np.float32)
        self.state = State(place.devices)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Start an episode of `horizon` steps."""
        super().reset(seed=seed)
        self.steps = 0
        self.state = self.world.reset(int(self.np_random.integers(2**31)))
        return self.observe(), {}

    def step(self, action: Any) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """Execute one assignment: one real step."""
        place, devices = self.world.platform, active(self.world.platform, self.state)
        choice = self.choice(action)
        chosen = {d: k for d, k in zip(place.devices, choice, strict=True) if d in devices}
        outcome = self.world.step(decode(place, devices, [chosen[d] for d in devices]))
        accuracy = float(place.option_accuracy[[chosen[d] for d in devices]].mean())
        short = 0.0 if met(accuracy, self.required) else self.required - accuracy
        self.state, self.steps = outcome.state, self.steps + 1
        reward = -outcome.average_ms / 1000.0 - PENALTY * short
        facts = {"average_ms": outcome.average_ms, "accuracy_pct": accuracy}
        return self.observe(), reward, False, self.steps >= self.horizon, facts

    def choice(self, action: Any) -> NDArray[np.int64]:
        """Option index of each device; a joint action is a number with one digit per device."""
        n, options = len(self.world.platform.devices), len(self.world.platform.options)
        if self.joint:
            return np.array(np.unravel_index(int(action), (options,) * n), dtype=np.int64)
        return np.asarray(action, dtype=np.int64)

    def observe(self) -> NDArray[np.float32]:
        """Signals of all devices, then one flag per device: active or not."""
        present = [float(d in self.state.active) for d in self.world.platform.devices]
        seen = signals(self.world.platform, self.state).ravel()
        return np.concatenate([seen, present]).astype(np.float32)
