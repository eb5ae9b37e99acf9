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
"""Standard deviations of the mean of its labels that it is off by at least."""
SCALE = 1.5
"""Prior standard deviation of the effect of such a cell."""


def cells_apart(
    labels: Table, weight: Floats, expected: Floats, noise: tuple[float, float]
) -> Integers:
    """Columns of the effects of such cells.

    `weight` [N] is the present weight of each label and `expected` [N] its logarithm without the
    cell's own effect; `noise` is the variance of one label, and of a cell whatever its labels.
    """
    deviation = np.sqrt(noise[0] / np.maximum(weight, 1e-9) + noise[1])
    below = expected - labels["log"] > np.maximum(DEVIATIONS * deviation, HURDLE)
    found: Integers = labels["cell"][below & (labels["cell"] >= 0)]
    return found
