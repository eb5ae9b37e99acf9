"""Joint actions: the choices of the paper's agents, one number for all devices together.

With n devices and O options there are O^n of them, which is why these agents end at about five
devices. A joint action is written in base O, first device first.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tercet.rl.experience import Experience, State
from tercet.rl.goal import SLACK, Goal, met, required_accuracy
from tercet.rl.options import Option
from tercet.rl.platform import Assignment, Platform

MAX_JOINT_ACTIONS = 10**6
"""Joint actions that an agent may enumerate."""

MAX_LOG_MS = 20.0
"""Largest predicted logarithm of milliseconds (5 days); keeps exp() finite."""

LINK_UNIT_MS = 10.0
"""Milliseconds of round trip that count as one unit of link (log1p); the paper's weak limit."""

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]
Floats32 = NDArray[np.float32]
Mask = NDArray[np.bool_]


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
        """Average accuracy of each joint action over all devices, percent, [O^n]."""
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

    def meets(self, goal: Goal, active: tuple[str, ...]) -> Mask:
        """Joint actions whose average accuracy meets a goal, [O^n]."""
        every = (self.platform.accuracy[o.variant] for o in self.platform.options)
        present = [i for i, d in enumerate(self.platform.devices) if d in active]
        mean = self.platform.option_accuracy[self.digits[:, present]].mean(axis=1)
        fine: Mask = mean >= required_accuracy(goal, every) - SLACK
        return fine

    def possible(self, state: State, unavailable: frozenset[str] = frozenset()) -> Mask:
        """Joint actions that every active device can execute, [O^n]; absent ones have option 0."""
        fine = np.ones(self.count, dtype=np.bool_)
        for device, digit in zip(self.platform.devices, self.digits.T, strict=True):
            offered = [self._offered(device, o, unavailable) for o in self.platform.options]
            fine &= np.array(offered)[digit] if device in state.active else digit == 0
        return fine

    def _offered(self, device: str, option: Option, unavailable: frozenset[str]) -> bool:
        place = self.platform
        return place.offers(device, option) and place.node(device, option) not in unavailable


@dataclass
class Cost:
    """The paper's reward, negated: mean response time, or a penalty when the goal is missed.

    The paper prints no penalty. Here a missed goal costs `factor` times the slowest mean seen; or
    the fastest seen that met the goal, which is enough to be avoided (docs/decisions/0042).
    """

    platform: Platform
    factor: float = 1.5
    logarithm: bool = True
    """Learn the logarithm: relative differences count, as in `hybrid`."""
    times: Literal["slowest", "fastest"] = "slowest"
    """What the factor multiplies."""
    slowest: float = 0.0
    fastest: dict[Goal, float] = field(default_factory=dict)
    """The fastest mean that met a goal."""
    required: dict[Goal, float] = field(default_factory=dict)

    def of(self, experience: Experience) -> float:
        """Cost of a real round in milliseconds, which becomes one of those seen."""
        mean, goal = experience.average_ms, experience.goal
        self.slowest = max(self.slowest, mean)
        if self._meets(experience):
            self.fastest[goal] = min(mean, self.fastest.get(goal, mean))
        return self.of_predicted(experience)

    def of_predicted(self, experience: Experience) -> float:
        """Cost of a round in milliseconds, which does not count among those seen."""
        fine = self._meets(experience)
        return experience.average_ms if fine else self.penalty(experience.goal)

    def penalty(self, goal: Goal) -> float:
        """Cost of a missed goal in milliseconds."""
        seen = self.fastest.get(goal, self.slowest) if self.times == "fastest" else self.slowest
        return self.factor * seen

    def _meets(self, experience: Experience) -> bool:
        accuracy = [self.platform.accuracy[o.variant] for o in experience.assignment.values()]
        mean = sum(accuracy) / len(accuracy)
        return met(mean, self.required_accuracy(experience.goal))

    def required_accuracy(self, goal: Goal) -> float:
        """Average accuracy that `goal` asks for, percent."""
        if goal not in self.required:
            every = (self.platform.accuracy[o.variant] for o in self.platform.options)
            self.required[goal] = required_accuracy(goal, every)
        return self.required[goal]

    def scaled(self, ms: float) -> float:
        """Milliseconds as the networks learn them: logarithm, or share of the slowest mean."""
        return math.log(max(ms, 1e-3)) if self.logarithm else ms / max(self.slowest, 1e-3)


def context(platform: Platform, state: State) -> Floats32:
    """The state as the input of the networks (Table II), four values per node, [nodes * 4]."""
    found = []
    for name in (*platform.devices, *platform.edges, platform.cloud):
        node = state.node(name)
        link = math.log1p(max(node.link_ms, 0.0) / LINK_UNIT_MS)
        found += [node.cpu, node.memory, link, float(node.weak)]
    return np.array(found, dtype=np.float32)
