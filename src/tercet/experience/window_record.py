"""One window: what was in force, which outcomes came, and the experience they make."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from uuid import UUID

from tercet.experience.own_queue import OwnQueue
from tercet.experience.tally import attempts_of, requests_of
from tercet.schemas.experience_v2 import Experience
from tercet.schemas.fleet import Condition, Fleet
from tercet.schemas.outcome import Outcome
from tercet.schemas.window import ActiveRow
from tercet.schemas.window_v1 import Window


@dataclass(frozen=True)
class InForce:
    """What was decided for a window, and on what."""

    fleet: Fleet
    goal: str
    policy: str
    policy_version: int | None
    assigned: dict[str, str]
    """Row to option, of all devices that are present."""
    greedy: dict[str, str]
    """What the policy would assign if it did not explore."""
    demand: dict[str, float]
    """Row to requests per second, as it was known before; used where nothing newer is."""
    state: dict[str, Condition]
    """Per node, when the window began."""
    own_queue: dict[str, OwnQueue] = field(default_factory=dict)
    """Row to what a request found of its own before it, as it was known before."""
    goals: dict[str, str] = field(default_factory=dict)
    """Family to its own goal."""


@dataclass
class WindowRecord:
    """Collects the outcomes of one window."""

    window: Window
    in_force: InForce
    began: float
    """Seconds, on the clock of the one who joins."""
    ended: float | None = None
    next_state: dict[str, Condition] = field(default_factory=dict)
    """Per node, when the window ended."""
    outcomes: dict[UUID, Outcome] = field(default_factory=dict)

    @cached_property
    def users(self) -> dict[str, frozenset[tuple[str, str]]]:
        """Node to the rows that it is assigned to, with their options: what loads it."""
        found: dict[str, set[tuple[str, str]]] = {}
        for row, option in self.in_force.assigned.items():
            found.setdefault(self.in_force.fleet.node(row, option), set()).add((row, option))
        return {node: frozenset(users) for node, users in found.items()}

    @property
    def number(self) -> int:
        """The window's number."""
        return self.window.number

    def end(self, now: float, next_state: dict[str, Condition]) -> None:
        """The next window has begun."""
        self.ended, self.next_state = now, next_state

    @property
    def seconds(self) -> float:
        """How long it lasted; as planned, while it lasts."""
        return self.window.length_s if self.ended is None else self.ended - self.began

    @property
    def arrived(self) -> dict[str, int]:
        """Row to requests that arrived in this window."""
        count = Counter[str]()
        for outcome in self.outcomes.values():
            count[outcome.row] += outcome.count
        return dict(count)

    def join(
        self,
        demand: Mapping[str, float] | None = None,
        own_queue: Mapping[str, OwnQueue] | None = None,
    ) -> Experience | None:
        """The experience; None if nobody asked anything. Rows that asked nothing are not in it.

        It does not depend on the order in which the outcomes came. `demand`: row to requests per
        second as known when the window is closed: the load that its times were measured under.
        `own_queue`: device to what those requests of this window found of their own before them.
        """
        if not self.outcomes:
            return None
        decided, outcomes = self.in_force, sorted(self.outcomes.values(), key=lambda o: o.id)
        fleet, nodes = decided.fleet, decided.fleet.nodes
        known = {**decided.demand, **(demand or {})}
        queues = {**decided.own_queue, **(own_queue or {})}
        return Experience.caused_by(
            self.window,
            window=self.number,
            policy=decided.policy,
            policy_version=decided.policy_version,
            goal=decided.goal,
            goals=decided.goals,
            fleet=fleet,
            active=tuple(
                ActiveRow(
                    device=row.partition("/")[0],
                    family=row.partition("/")[2],
                    assigned=option,
                    greedy=decided.greedy.get(row),
                    demand=known.get(row, 0.0),
                    own_queue=queues.get(row, ()),
                )
                for row, option in decided.assigned.items()
            ),
            state={node: c for node, c in decided.state.items() if node in nodes},
            next_state={node: c for node, c in self.next_state.items() if node in nodes},
            requests=requests_of(outcomes, fleet, decided.assigned),
            attempts=attempts_of(outcomes, fleet),
            emulated=any(o.emulated for o in outcomes),
            simulated=any(o.simulated for o in outcomes),
        )
