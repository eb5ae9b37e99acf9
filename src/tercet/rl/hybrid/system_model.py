"""The system model: how the state follows from the state, by one member of an ensemble.

Algorithm 1, lines 17-20. Members differ by random weights of the windows (Bayesian bootstrap), so
the spread of their predictions is the uncertainty of the ensemble.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tercet.rl.experience import Experience, State
from tercet.rl.serialisation import Parameters

QUANTITIES = ("cpu", "memory", "link_ms")

STATE_MEMORY = 0.98
"""Share of old evidence kept per transition."""

SHAPE = (len(QUANTITIES), 5)


class SystemModel:
    """One member; each quantity of a node reverts to its mean at a learned rate."""

    def __init__(self, seed: int = 0, slot: int = 0) -> None:
        self._rng = np.random.default_rng((seed, slot))
        self.transitions = 0
        """Transitions taken in."""
        self._sums = np.zeros(SHAPE)

    def observe(self, experience: Experience) -> None:
        """Take in one real window, nodes pooled; planned ones are ignored, the model made them."""
        if experience.member is not None:
            return
        weight = self._rng.exponential()
        before, after = experience.state.nodes, experience.next_state.nodes
        names = sorted(before.keys() & after.keys())
        if not names:
            return
        self.transitions += 1
        for k, quantity in enumerate(QUANTITIES):
            x = np.array([getattr(before[name], quantity) for name in names])
            y = np.array([getattr(after[name], quantity) for name in names])
            fresh = np.array([len(x), x.sum(), y.sum(), (x * x).sum(), (x * y).sum()])
            self._sums[k] = STATE_MEMORY * self._sums[k] + weight * fresh

    def parameters(self) -> Parameters:
        """What `predict` needs."""
        return {"state.sums": self._sums.copy()}


def check(parameters: Parameters) -> None:
    """Raises ValueError unless these are parameters of a system model."""
    sums = parameters.get("state.sums")
    if set(parameters) != {"state.sums"} or sums is None or sums.shape != SHAPE:
        raise ValueError(f"state.sums: expected the one array, of shape {SHAPE}")
    if sums.dtype.kind != "f" or not np.isfinite(sums).all():
        raise ValueError("state.sums: a value is not a finite number")


def predict(parameters: Parameters, state: State) -> State:
    """Expected next state; without evidence, the same state."""
    sums = parameters["state.sums"]
    nodes = {
        name: replace(
            node,
            cpu=_next(sums[0].tolist(), node.cpu),
            memory=_next(sums[1].tolist(), node.memory),
            link_ms=_next(sums[2].tolist(), node.link_ms),
        )
        for name, node in state.nodes.items()
    }
    return replace(state, nodes=nodes)


def _next(sums: list[float], value: float) -> float:
    count, x, y, xx, xy = sums
    if count < 2:
        return value
    spread = xx - x * x / count
    rate = (xy - x * y / count + 1e-6) / (spread + 1e-6)  # without spread: no change
    return max(0.0, y / count + rate * (value - x / count))
