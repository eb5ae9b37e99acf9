"""The cost of every row, option and load: what the solver and exploration decide by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]


@dataclass(frozen=True)
class CostTable:
    """n rows, O options, L loads, K shared nodes: what the solver and exploration need."""

    devices: tuple[str, ...]
    costs: Floats
    """Expected milliseconds of a request, [n, O, L]."""
    variance: Floats
    """Of its logarithm, for want of evidence, [n, O, L]."""
    tried: Booleans
    """Whether a row has ever run an option, [n, O]."""
    levels: Floats
    """Load at each index, [L]."""
    node: Integers
    """Shared node of each option, [n, O]; -1: none."""
    nodes: tuple[str, ...]
    """Names of the shared nodes, [K]."""
    amount: Floats
    """Load that each option adds to its node, [n, O]."""
    allowed: Booleans
    """[n, O]"""
    demand: Floats
    """Weight of each row, [n]."""
    accuracy: Floats
    """[O], percent."""
    groups: Integers
    """Goal group of each row, [n]."""
    group_names: tuple[str, ...]
    noise: float
    """Variance of one measurement's logarithm."""
    changed: Floats
    """Probability that a place has changed since it was last measured, [n, O]..."""
    change: Floats
    """...and by how much, log units, [n, O]."""
    doubted: Floats
    """Probability that it has changed, if it may do so though it never did before, [n, O]."""
    steady: float
    """Windows between the jumps of the least steady place; infinite before a second one."""
    report: Floats
    """What each row reports for a cost of 1, [n]: far from 1 only if it reports everything longer,
    or shorter, than the others do. Not in `costs`, so that such a row weighs as they do."""
