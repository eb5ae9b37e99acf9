"""The conditions of a device's nodes as numbers: the input of agents with a fixed-size state."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tercet.rl.experience import State
from tercet.rl.platform import Platform

Floats = NDArray[np.float64]

WIDTH = 10
"""Of a device: link, weak, CPU and memory of it and of its edge; the cloud's CPU and memory."""

LINK_UNIT = 10.0
"""Milliseconds of round trip that count as one unit of link (log1p); the paper's weak limit."""


def signals(platform: Platform, state: State) -> Floats:
    """Condition of each device with its edge and the cloud, [n, WIDTH]."""
    cloud = state.node(platform.cloud)
    found = []
    for device, edge in zip(platform.devices, platform.home, strict=True):
        here = []
        for node in (state.node(device), state.node(edge)):
            link = float(np.log1p(max(node.link_ms, 0.0) / LINK_UNIT))
            here += [link, float(node.weak), node.cpu, node.memory]
        found.append([*here, cloud.cpu, cloud.memory])
    return np.array(found, dtype=np.float64).reshape(-1, WIDTH)
