"""Random instances of the assignment problem, shared by the solver's tests."""

from __future__ import annotations

import numpy as np

TIERS = ("L", "L", "L", "E", "C")


def instance(seed: int, n: int, edges: int = 1, shared: bool = False):
    """Costs [n, 5, n] that grow with load, accuracies [5], home edges [n]."""
    rng = np.random.default_rng(seed)
    costs = np.exp(rng.normal(0, 0.7, (1 if shared else n, len(TIERS), 1))) * 100
    growth = np.sort(np.exp(rng.normal(0, 0.5, (1, len(TIERS), n))), axis=2)
    costs = np.broadcast_to(costs * growth, (n, len(TIERS), n)).copy()
    accuracy = np.round(rng.uniform(60, 95, len(TIERS)), 1)
    accuracy[4] = accuracy[3]
    return costs, accuracy, rng.integers(0, edges, n)
