"""Priors with heavy tails: small deviations are shared away, large ones are kept.

A device that is like the others should learn from them at once; one that is not must not be pulled
towards them. A Student distribution does both, and is fitted by reweighting: an effect that turns
out large has a wide prior, a small one a narrow prior. An effect without evidence keeps the wide
prior of its group, so what was never tried stays open.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tercet.rl.costs.effects import INDEX, PRIOR_MEAN, PRIOR_SCALE, Effects
from tercet.rl.costs.evidence import Table

Floats = NDArray[np.float64]

TYPICAL = {"node.variant": 0.12, "device.path": 0.3, "node.load": 0.15, "node.bend": 0.1}
"""Typical size of the effects of a group, where most are small and a few are large; log units."""

FREEDOM = 1.0
"""Degrees of freedom of the Student distribution."""


def robust_strength(effects: Effects, mean: Floats, variance: Floats, parts: Table) -> Floats:
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
    return strength
