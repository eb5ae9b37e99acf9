"""Priors with heavy tails: small deviations are shared away, large ones are kept.

A device that is like the others should learn from them at once; one that is not must not be pulled
towards them. A Student distribution does both, and is fitted by reweighting: an effect that turns
out large has a wide prior, a small one a narrow prior. An effect without evidence keeps the wide
prior of its group, so what was never tried stays open.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tercet.rl.costs.effects import BITS, INDEX, PRIOR_MEAN, PRIOR_SCALE, Effects
from tercet.rl.costs.evidence import Table

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]

TYPICAL = {
    "row": 0.1, "node.variant": 0.12, "device.path": 0.3, "node.load": 0.15, "node.bend": 0.1
}  # fmt: skip
"""Typical size of the effects of a group, where most are small and a few are large; log units."""

MIN_REQUESTS = 8.0
"""Requests of a row from which its effect may start from its wide prior."""

CLOSED = 1e6
"""Precision of an effect that cannot be told from others yet."""

FREEDOM = 1.0
"""Degrees of freedom of the Student distribution."""


@dataclass
class RowPriors:
    """Which effects of rows are told apart from others, by the number of the row.

    An effect that is held small stays small while others explain what it would: where evidence
    has doubled, it starts from its wide prior again.
    """

    closed: Booleans = field(default_factory=lambda: np.zeros(0, dtype=bool))
    """Not far off at all of its places (`row_factors.py`), or scattered too far."""
    open: Booleans = field(default_factory=lambda: np.zeros(0, dtype=bool))
    """Evidence has doubled."""
    requests: Floats = field(default_factory=lambda: np.zeros(0))
    """Behind each row when it was last open."""

    def note(self, requests: Floats) -> None:
        """Take in the requests of each row that may have a factor, else 0; [rows]."""
        before = np.zeros(len(requests))
        before[: len(self.requests)] = self.requests
        self.closed = requests <= 0.0
        self.open = ~self.closed & (requests >= np.maximum(2.0 * before, MIN_REQUESTS))
        self.requests = np.where(self.open, requests, before)


def robust_strength(
    effects: Effects, mean: Floats, variance: Floats, parts: Table, rows: RowPriors
) -> Floats:
    """Prior precision of each effect at its present estimate, [D].

    `mean` and `variance` [D] are the estimates, in log units; `parts` is all evidence.
    """
    group = effects.group
    strength = 1.0 / PRIOR_SCALE[group] ** 2
    used = np.zeros(len(group), dtype=bool)
    used[parts["column"][parts["value"] != 0]] = True
    for name, typical in TYPICAL.items():
        at = np.flatnonzero((group == INDEX[name]) & used)
        size = (mean[at] - PRIOR_MEAN[INDEX[name]]) ** 2
        known = np.minimum(variance[at], typical**2)
        strength[at] = (FREEDOM + 1.0) / (FREEDOM * typical**2 + size + known)
    own = np.flatnonzero(group == INDEX["row"])
    row = (effects.keys[own] >> BITS) & (2**BITS - 1)
    strength[own[rows.closed[row]]] = CLOSED
    strength[own[rows.open[row]]] = 1.0 / PRIOR_SCALE[INDEX["row"]] ** 2
    return strength
