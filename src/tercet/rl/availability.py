"""What cannot be reached is priced out: the solver takes it only when there is nothing else."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from tercet.rl.platform import Platform

Floats = NDArray[np.float64]

OUT_OF_REACH_MS = 1e6
"""Cost of an option whose node cannot run it: the solver takes it last."""


def avoiding(
    platform: Platform, devices: tuple[str, ...], table: Floats, unavailable: Collection[str]
) -> Floats:
    """The cost table [n, O, L] with the options of nodes that cannot run them priced out."""
    priced = table.copy()
    for i, device in enumerate(devices):
        for k, option in enumerate(platform.options):
            gone = platform.node(device, option) in unavailable
            if gone or not platform.offers(device, option):
                priced[i, k, :] = OUT_OF_REACH_MS
    return priced
