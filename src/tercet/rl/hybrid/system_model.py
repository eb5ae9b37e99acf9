"""The system model: M members, each predicting response times per device and the next state.

Algorithm 1, lines 17-20. Every member sees all real experience; what makes them differ is a
hidden layer of their own and a fresh sample of what the data leave open, so the spread of their
predictions is the uncertainty of the ensemble.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from tercet.rl.experience import Experience, NodeState, State
from tercet.rl.features import Profile
from tercet.rl.hybrid.ensemble import Ensemble
from tercet.rl.hybrid.settings import HybridSettings
from tercet.rl.network import Parameters
from tercet.rl.platform import Platform

QUANTITIES = ("cpu", "memory", "link_ms")

STATE_MEMORY = 0.98
"""Share of old evidence kept per transition by the next-state predictor."""


@dataclass
class ModelLearner:
    """Learns System(θ_s) for one or several members; its whole state is in its fields."""

    students: Ensemble
    slots: tuple[int, ...]
    """Which members these are."""
    drift: Drift = field(default_factory=lambda: Drift())

    @classmethod
    def born(
        cls,
        platform: Platform,
        settings: HybridSettings,
        slots: tuple[int, ...],
        rng: np.random.Generator,
        profile: Profile | None = None,
    ) -> ModelLearner:
        """Members `slots` that know nothing yet; give each process an rng of its own."""
        return cls(Ensemble.born(platform, settings, len(slots), rng, profile), tuple(slots))

    def observe(self, experience: Experience) -> None:
        """Take in one real experience; planned ones are ignored, a model must not teach itself."""
        if experience.member is None:
            if experience.censored:  # A bound is raised to what the members expect by now.
                for mind in self.students.minds:
                    mind.solve()
            self.students.observe(experience)
            self.drift.observe(experience.state, experience.next_state)

    def move(self, platform: Platform, profile: Profile | None = None) -> None:
        """Go on with another platform and its profile."""
        self.students.move(platform, profile)

    def learn(self) -> Parameters:
        """Update the members and return their parameters, M = len(slots)."""
        return self.students.learn()

    def keep_up(self) -> None:
        """Refit if that is due: call it after each `observe` when `learn` comes less often."""
        if self.students.due:
            self.students.learn()

    def snapshot(self, rng: np.random.Generator) -> Parameters:
        """As `learn`, but without a trace: what comes later does not depend on when it was asked.

        With `keep_up` after each `observe` the result depends on the experiences and `rng` alone,
        so a member goes on the same wherever, and in however many pieces, it is learned.
        """
        means = [mind.mean for mind in self.students.minds]
        self.students.rng = rng
        parameters = self.students.learn()
        for mind, mean in zip(self.students.minds, means, strict=True):
            mind.mean = mean
        return parameters


@dataclass
class Drift:
    """Next-state predictor: each quantity reverts to its mean at a learned rate, [3, 5] sums."""

    sums: NDArray[np.float64] = field(default_factory=lambda: np.zeros((len(QUANTITIES), 5)))

    def observe(self, before: State, after: State) -> None:
        """Learn from one transition, nodes pooled."""
        names = sorted(before.nodes.keys() & after.nodes.keys())
        if not names:
            return
        for k, quantity in enumerate(QUANTITIES):
            x = np.array([getattr(before.nodes[name], quantity) for name in names])
            y = np.array([getattr(after.nodes[name], quantity) for name in names])
            fresh = np.array([len(x), x.sum(), y.sum(), (x * x).sum(), (x * y).sum()])
            self.sums[k] = STATE_MEMORY * self.sums[k] + fresh

    def predict(self, state: State) -> State:
        """Expected next state; without evidence, the same state."""
        nodes: Mapping[str, NodeState] = {
            name: replace(
                node,
                cpu=self._next(0, node.cpu),
                memory=self._next(1, node.memory),
                link_ms=self._next(2, node.link_ms),
            )
            for name, node in state.nodes.items()
        }
        return State(state.active, nodes)

    def _next(self, quantity: int, value: float) -> float:
        count, x, y, xx, xy = self.sums[quantity]
        if count < 2:
            return value
        spread = xx - x * x / count
        rate = (xy - x * y / count + 1e-6) / (spread + 1e-6)  # without spread: it stays
        return float(max(0.0, y / count + rate * (value - x / count)))
