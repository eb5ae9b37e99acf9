"""A prohibitive cost for unavailable options: the solver chooses them only as a last resort."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from tercet.rl.platform import Platform

Floats = NDArray[np.float64]

UNAVAILABLE_MS = 1e6
"""Cost of an option whose node cannot run it: the solver takes it last."""


def without_unavailable(
    platform: Platform, devices: tuple[str, ...], table: Floats, unavailable: Collection[str]
) -> Floats:
    """The cost table [n, O, L] with `UNAVAILABLE_MS` where a node cannot run an option."""
    priced = table.copy()
    for i, device in enumerate(devices):
        for k, option in enumerate(platform.options):
            missing = platform.node(device, option) in unavailable
            if missing or not platform.offers(device, option):
                priced[i, k, :] = UNAVAILABLE_MS
    return priced
