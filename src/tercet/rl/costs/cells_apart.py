"""Which cells are far quicker than everything else says of them.

A request may take long by chance, never far less than it needs. So one that was far quicker than
nodes, paths and variants predict is no outlier: this device and option are unlike the others. Such
a cell has an effect of its own with a wide prior, and says nothing about what it shares with them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tercet.rl.costs.evidence import Table

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

HURDLE = float(np.log(2.5))
"""Least size of what a cell is off by, log units."""
DEVIATIONS = 5.0
"""Standard deviations that it is off by at least."""
SCALE = 1.5
"""Prior standard deviation of the effect of such a cell."""


def cells_apart(labels: Table, expected: Floats, variance: Floats) -> Integers:
    """Columns of the effects of such cells.

    `expected` [N] is the logarithm of each label without its cell's own effect, and `variance` [N]
    how far the mean of the label may be from it by chance and for want of evidence.
    """
    off = np.maximum(DEVIATIONS * np.sqrt(variance), HURDLE)
    apart = (expected - labels["log"] > off) & (labels["cell"] >= 0)
    found: Integers = labels["cell"][apart]
    return found
