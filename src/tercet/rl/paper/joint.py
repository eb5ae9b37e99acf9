"""Joint actions: the choices of the paper's agents, one number for all devices together.

With n devices and O options there are O^n of them, which is why these agents end at about five
devices. A joint action is written in base O, first device first.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tercet.rl.experience import Experience, State
from tercet.rl.goal import Goal, met, required_accuracy
from tercet.rl.options import Option
from tercet.rl.platform import Assignment, Platform
from tercet.rl.signals import signals

MAX_JOINT_ACTIONS = 10**6
"""Joint actions that an agent may enumerate."""

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class JointActions:
    """All O^n assignments of one platform."""

    platform: Platform

    def __post_init__(self) -> None:
        if self.count > MAX_JOINT_ACTIONS:
            raise ValueError(
                f"{len(self.platform.options)}^{len(self.platform.devices)} joint actions are too "
                "many to enumerate; only hybrid works with so many devices"
            )

    @property
    def count(self) -> int:
        """O^n."""
        return int(len(self.platform.options) ** len(self.platform.devices))

    @cached_property
    def digits(self) -> Integers:
        """Option index of each device under each joint action, [O^n, n]."""
        shape = (len(self.platform.options),) * len(self.platform.devices)
        return np.stack(np.unravel_index(np.arange(self.count), shape), axis=1).astype(np.int64)

    @cached_property
    def accuracy(self) -> Floats:
        """Average accuracy of each joint action, percent, [O^n]."""
        mean: Floats = self.platform.option_accuracy[self.digits].mean(axis=1)
        return mean

    @cached_property
    def powers(self) -> list[int]:
        """Weight of each device's digit."""
        n, options = len(self.platform.devices), len(self.platform.options)
        return [int(options ** (n - 1 - i)) for i in range(n)]

    def assignment(self, action: int, state: State) -> dict[str, Option]:
        """Read a joint action; devices that are not active are left out."""
        chosen = self.digits[action].tolist()
        options, present = self.platform.options, set(state.active)
        pairs = zip(self.platform.devices, chosen, strict=True)
        return {device: options[k] for device, k in pairs if device in present}

    def neighbour(self, action: int, rng: np.random.Generator) -> int:
        """A random joint action in which one device of `action` has another option."""
        at = int(rng.integers(len(self.platform.devices)))
        options, power = len(self.platform.options), self.powers[at]
        digit = action // power % options
        other = (digit + 1 + int(rng.integers(options - 1))) % options
        return action + (other - digit) * power

    def number(self, assignment: Assignment) -> int:
        """The joint action of an assignment; an absent device counts as option 0."""
        index, powers = self.platform.index, self.powers
        pairs = zip(self.platform.devices, powers, strict=True)
        return sum(index[assignment[d]] * p for d, p in pairs if d in assignment)


@dataclass
class Cost:
    """The paper's reward, negated: mean response time, or a penalty when the goal is missed.

    The paper prints no penalty. Here a missed goal costs `factor` times the slowest mean seen.
    """

    platform: Platform
    factor: float = 1.5
    logarithm: bool = True
    """Learn the logarithm: relative differences count, as in `hybrid`."""
    slowest: float = 0.0
    required: dict[Goal, float] | None = None

    def of(self, experience: Experience) -> float:
        """Cost of one round in milliseconds."""
        self.slowest = max(self.slowest, experience.average_ms)
        accuracies = self.platform.accuracy
        mean = sum(accuracies[o.variant] for o in experience.assignment.values())
        mean /= len(experience.assignment)
        if met(mean, self._required(experience.goal)):
            return experience.average_ms
        return self.factor * self.slowest

    def scaled(self, ms: float) -> float:
        """Milliseconds as the networks learn them: logarithm, or share of the slowest mean."""
        return math.log(max(ms, 1e-3)) if self.logarithm else ms / max(self.slowest, 1e-3)

    def _required(self, goal: Goal) -> float:
        if self.required is None:
            self.required = {}
        if goal not in self.required:
            every = (self.platform.accuracy[o.variant] for o in self.platform.options)
            self.required[goal] = required_accuracy(goal, every)
        return self.required[goal]


def context(platform: Platform, state: State) -> Floats:
    """The state as the input of the networks, [n * signals]."""
    return signals(platform, state).ravel()
