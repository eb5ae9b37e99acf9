"""The conditions of nodes as numbers: every field of `NodeState` that may follow from a load."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tercet.rl.experience import NodeState, State

Floats = NDArray[np.float64]

FIELDS = ("cpu", "memory", "link_ms", "backlog", "temperature", "throttled")
"""Fields of a node's state that are modelled; `weak` is a form of `link_ms`."""

DEVICE, EDGE, CLOUD = 0, 1, 2
"""Tiers of nodes; nodes of one tier learn from each other."""


def conditions(state: State, names: tuple[str, ...]) -> Floats:
    """Conditions of the nodes `names`, [nodes, F]; those of a node without a report are zero."""
    found = np.zeros((len(names), len(FIELDS)))
    for k, name in enumerate(names):
        node = state.nodes.get(name)
        if node is not None:
            found[k] = (node.cpu, node.memory, node.link_ms, node.backlog, node.temperature,
                        node.throttled)  # fmt: skip
    return found


def with_condition(state: State, name: str, values: dict[str, float]) -> State:
    """The same state in which some fields of one node have other values."""
    node: NodeState = replace(state.node(name), **values)  # type: ignore[arg-type]
    return replace(state, nodes={**state.nodes, name: node})
