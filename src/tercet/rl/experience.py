"""One round: the state before it, the assignment executed, the outcomes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from tercet.rl.goal import Goal, Goals
from tercet.rl.options import Option
from tercet.rl.platform import Assignment

AttemptResult = Literal["ok", "overloaded", "refused", "timed-out", "no-responder"]
"""How one try to run a request at one place ended."""

QUEUE_SERVICE_MS = (3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)
"""Service times for which it is known how much a row's requests wait for each other."""


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
    backlog: float = 0.0
    """Requests that wait on the node; 0 where nothing is known."""
    temperature: float = 0.0
    """Degrees Celsius; 0 where nothing is known."""
    throttled: float = 0.0
    """Share of its speed that the node has lost to heat, 0..1."""


@dataclass(frozen=True, slots=True)
class State:
    """The input of a decision: the active devices, and each node's condition.

    A node that is missing from `nodes` is taken to be idle and well connected.
    """

    active: tuple[str, ...]
    nodes: Mapping[str, NodeState] = field(default_factory=dict)
    demand: Mapping[str, float] = field(default_factory=dict)
    """Requests per second of each device; empty: one request each, all at once (a round)."""
    own_queue: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    """Of each device, how many of its own earlier requests a request would find before it on
    average, at a node that takes `QUEUE_SERVICE_MS` for each: none of one that is missing."""

    def node(self, name: str) -> NodeState:
        """Condition of one node."""
        return self.nodes.get(name, NodeState())


@dataclass(frozen=True, slots=True)
class Attempts:
    """All tries of one device at one option in a window that ended alike."""

    option: Option
    result: AttemptResult
    count: int
    total_ms: float
    """Sum of the time that they took, milliseconds."""


@dataclass(frozen=True, slots=True)
class Parts:
    """Where the time of a device's requests went, means in milliseconds."""

    network_ms: float
    queue_ms: float
    compute_ms: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a window returned: the cost of each device that asked, and the state after it."""

    response_ms: Mapping[str, float]
    """Mean cost per request; a device that asked nothing is not in it."""
    state: State
    counts: Mapping[str, int] = field(default_factory=dict)
    """Requests behind each mean; one where missing."""
    attempts: Mapping[str, tuple[Attempts, ...]] = field(default_factory=dict)
    """Where they were tried, if the world reports it; else all ran where they were assigned."""
    parts: Mapping[str, Parts] = field(default_factory=dict)

    @property
    def average_ms(self) -> float:
        """The paper's reward before its penalty: mean cost over requests, milliseconds."""
        count = {d: self.counts.get(d, 1) for d in self.response_ms}
        total = sum(ms * count[d] for d, ms in self.response_ms.items())
        return total / max(sum(count.values()), 1)


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
    load: Mapping[str, float] | None = None
    """Mean concurrency measured on each shared node (`--async`); None: count the assignment."""
    member: int | None = None
    """Which member of the ensemble planned this; None for a real one."""
    id: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)
    """As in `Outcome`."""
    attempts: Mapping[str, tuple[Attempts, ...]] = field(default_factory=dict)
    """As in `Outcome`."""
    parts: Mapping[str, Parts] = field(default_factory=dict)
    """As in `Outcome`."""
    goals: Mapping[str, Goal] = field(default_factory=dict)
    """Goal group to its goal; empty where there is one, `goal`."""

    @property
    def goal_of_each(self) -> Goals:
        """The goal, or that of each goal group."""
        return self.goals or self.goal
