"""One round: the state before it, the assignment executed, the outcomes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tercet.rl.goal import Goal
from tercet.rl.platform import Assignment


@dataclass(frozen=True, slots=True)
class NodeState:
    """One node as its monitor sees it: background only, without the run's own load."""

    cpu: float = 0.0
    """Utilisation by others, 0..1."""
    memory: float = 0.0
    """Share of memory in use, 0..1."""
    link_ms: float = 0.0
    """Round trip to the next tier, milliseconds."""
    weak: bool = False
    """The link's discretised form, R or W (paper, Table II), with hysteresis."""


@dataclass(frozen=True, slots=True)
class State:
    """The input of a decision: the active devices, and each node's condition.

    A node that is missing from `nodes` is taken to be idle and well connected.
    """

    active: tuple[str, ...]
    nodes: Mapping[str, NodeState] = field(default_factory=dict)

    def node(self, name: str) -> NodeState:
        """Condition of one node."""
        return self.nodes.get(name, NodeState())


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a round returned: response time of each active device, and the state after it."""

    response_ms: Mapping[str, float]
    state: State

    @property
    def average_ms(self) -> float:
        """The paper's reward before its penalty: mean response time, milliseconds."""
        return sum(self.response_ms.values()) / len(self.response_ms)


@dataclass(frozen=True, slots=True)
class Experience:
    """(s, a, r, s') with one label per device; real, or planned by a member."""

    state: State
    assignment: Assignment
    """The options executed, not those assigned: what was measured."""
    response_ms: Mapping[str, float]
    """Per device; empty when only the mean is known."""
    average_ms: float
    next_state: State
    goal: Goal
    censored: frozenset[str] = frozenset()
    """Devices whose response time is a lower bound: their outcome was missing at the timeout."""
    load: Mapping[str, float] | None = None
    """Mean concurrency measured on each shared node (`--async`); None: count the assignment."""
    member: int | None = None
    """Which member of the ensemble planned this; None for a real one."""
    retracted: frozenset[str] = frozenset()
    """Devices whose recent labels must be retracted (`tercet.rl.quarantine`)."""
    id: str = ""
