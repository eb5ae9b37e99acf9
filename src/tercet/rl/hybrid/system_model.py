"""The system model: M members, each predicting response times per device and the next state.

Algorithm 1, lines 17-20. Every member takes in all real experience. They differ by their hidden
layers and by samples from their posteriors, so the spread of their predictions is the uncertainty
of the ensemble.
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
class SystemModel:
    """System(θ_s) for one or several members; its whole state is in its fields."""

    ensemble: Ensemble
    slots: tuple[int, ...]
    """Which members these are."""
    state_predictor: StatePredictor = field(default_factory=lambda: StatePredictor())

    @classmethod
    def create(
        cls,
        platform: Platform,
        settings: HybridSettings,
        slots: tuple[int, ...],
        rng: np.random.Generator,
        profile: Profile | None = None,
    ) -> SystemModel:
        """Members `slots` with initial parameters; each process needs an rng of its own."""
        return cls(Ensemble.create(platform, settings, len(slots), rng, profile), tuple(slots))

    def observe(self, experience: Experience) -> None:
        """Take in one real experience; planned ones are ignored, the model made them."""
        if experience.member is None:
            if experience.censored:  # A bound is raised to what the members predict now.
                for regressor in self.ensemble.regressors:
                    regressor.solve()
            self.ensemble.observe(experience)
            self.state_predictor.observe(experience.state, experience.next_state)

    def change_platform(self, platform: Platform, profile: Profile | None = None) -> None:
        """Continue on another platform and its profile."""
        self.ensemble.change_platform(platform, profile)

    def fit(self) -> Parameters:
        """Update the members and return their parameters, M = len(slots)."""
        return self.ensemble.fit()

    def refit_if_due(self) -> None:
        """Refit when that is due: call it after each `observe` when `fit` is called less often."""
        if self.ensemble.due:
            self.ensemble.fit()

    def snapshot(self, rng: np.random.Generator) -> Parameters:
        """As `fit`, but without an effect on later results.

        With `refit_if_due` after each `observe`, the result depends on the experiences and `rng`
        alone: not on how often it was computed, nor on which process computed it.
        """
        means = [regressor.mean for regressor in self.ensemble.regressors]
        self.ensemble.rng = rng
        parameters = self.ensemble.fit()
        for regressor, mean in zip(self.ensemble.regressors, means, strict=True):
            regressor.mean = mean
        return parameters


@dataclass
class StatePredictor:
    """Next-state predictor: each quantity reverts to its mean at a learned rate, [3, 5] sums."""

    sums: NDArray[np.float64] = field(default_factory=lambda: np.zeros((len(QUANTITIES), 5)))

    def observe(self, before: State, after: State) -> None:
        """Take in one transition, nodes pooled."""
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
        rate = (xy - x * y / count + 1e-6) / (spread + 1e-6)  # without spread: no change
        return float(max(0.0, y / count + rate * (value - x / count)))
