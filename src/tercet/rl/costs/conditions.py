"""From the states of nodes to numbers that the effects of a condition are multiplied by."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tercet.rl.experience import NodeState, State

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

LINK_UNIT = 10.0
"""Milliseconds of round trip that count as one unit of link (log1p); the paper's weak limit."""

WARM = 50.0
"""Degrees Celsius that count as one unit of temperature."""

STEPS = 8
"""Steps per unit of a signal within which conditions count as the same."""

MOST_LOST = 0.95
"""Share of a node's speed that counts as lost at most."""

SIGNALS = ("cpu", "memory", "backlog", "temperature", "throttled", "link", "weak")
"""What a node's state may change about its service."""

FACTORS = (0, 1, 3, 4, 6)
"""Signals that multiply the service; a backlog and a slow link add to it (`Encoder.delays`)."""

LINK, WEAK = 5, 6
"""Positions in `SIGNALS` of what changes the network part."""

SPEED_LOST = [0, 4]
"""Positions in `SIGNALS` of the shares of its speed that a node has lost."""

MULTIPLIERS = np.array([1, 101, 10_007, 1_000_003, 100_000_007, 11, 1_013], dtype=np.int64)
"""Make one number of the steps of all signals."""


def signals(names: Sequence[str], state: State) -> Floats:
    """Condition of each node, [nodes, len(SIGNALS)]; zeros where nothing is known.

    A lost share x of the speed is -log(1 - x), the factor on the logarithm of a time; counts and
    milliseconds are logarithms too, so that one effect fits small and large ones.
    """
    found = np.array([_reported(state.nodes.get(name)) for name in names])
    found[:, SPEED_LOST] = -np.log1p(-np.clip(found[:, SPEED_LOST], 0.0, MOST_LOST))
    found[:, 2] = np.log1p(np.maximum(found[:, 2], 0.0))
    found[:, 3] /= WARM
    found[:, LINK] = np.log1p(np.maximum(found[:, LINK], 0.0) / LINK_UNIT)
    return found


def _reported(node: NodeState | None) -> tuple[float, ...]:
    """The signals of a node as they were reported, in the order of `SIGNALS`."""
    if node is None:
        return (0.0,) * len(SIGNALS)
    return (node.cpu, node.memory, node.backlog, node.temperature, node.throttled, node.link_ms,
            float(node.weak))  # fmt: skip


def coarse(signal: Floats) -> Integers:
    """One number for each node's condition [nodes], equal where all signals are about equal."""
    steps = np.round(signal * STEPS).astype(np.int64)
    return np.asarray(steps @ MULTIPLIERS, dtype=np.int64)


def waiting(names: Sequence[str], floor: Sequence[float | None], state: State) -> Floats:
    """Backlog of each node, requests, and how much slower its link is than at best, ms; [nodes, 2].

    `floor` is the shortest round trip that was seen of each node, None where there was none.
    """
    found = np.zeros((len(names), 2))
    for k, (name, best) in enumerate(zip(names, floor, strict=True)):
        node = state.nodes.get(name)
        if node is not None:
            found[k] = node.backlog, node.link_ms - (node.link_ms if best is None else best)
    return np.maximum(found, 0.0)
