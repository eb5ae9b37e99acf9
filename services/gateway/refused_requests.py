"""Requests that the gateway itself refuses: they belong to the demand, but there is too little time
for an outcome each. They are counted, and reported together.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from tercet.schemas import clock as wall
from tercet.schemas.outcome import Attempt, Outcome
from tercet.services.gateway.places import ExecutionPlan, Place
from tercet.services.gateway.window_in_force import Moment

PERIOD_S = 0.25
"""Seconds after which a count is reported, at least."""
SHORTEST_MS = 0.001
LONGEST_MS = 86_400_000.0
"""A deadline that is further away is reported as a day."""

Key = tuple[UUID | None, Place, int | None, bool, bool, str]


@dataclass
class _Count:
    first: datetime
    last: datetime
    number: int = 0
    deadlines_ms: float = 0.0


@dataclass
class RefusedRequests:
    """Counts by decision, place, window and reason; the outcomes are those of `device`."""

    device: str
    clock: Callable[[], float] = time.monotonic
    _counts: dict[Key, _Count] = field(default_factory=dict)
    _since: float = 0.0

    def add(
        self, planned: ExecutionPlan, moment: Moment, deadline_ms: float | None, *, begun: bool
    ) -> None:
        """Enter a request that arrived at `moment`.

        `begun`: it was refused because the place decided on is known to be overloaded, which is a
        fact about that place; otherwise, because this gateway is full or the time is too short.
        """
        if not planned.places:
            return
        if not self._counts:
            self._since = self.clock()
        cause = planned.decision.id if planned.decision else None
        place, by_default = planned.places[0], deadline_ms is None
        key = (cause, place, moment.window, begun, by_default, planned.family)
        counted, now = self._counts.get(key), wall.now()
        if counted is None:
            counted = self._counts[key] = _Count(now, now)
        counted.last = now
        counted.number += 1
        counted.deadlines_ms += min(max(deadline_ms or 0.0, SHORTEST_MS), LONGEST_MS)

    def due(self) -> list[Outcome]:
        """One outcome per count, once the first of them has waited for PERIOD_S."""
        if not self._counts or self.clock() - self._since < PERIOD_S:
            return []
        return self.all()

    def all(self) -> list[Outcome]:
        """One outcome per count; the counts begin anew."""
        found = [self._outcome(key, counted) for key, counted in self._counts.items()]
        self._counts.clear()
        return found

    def _outcome(self, key: Key, counted: _Count) -> Outcome:
        cause, place, window, begun, by_default, family = key
        option = str(place.option)
        return Outcome(
            cause=cause,
            device=self.device,
            family=family,
            arrived_at=counted.first,
            last_arrived_at=counted.last,
            node=place.node,
            assigned=option if cause else None,
            executed=option,
            fallback="overloaded",
            response_ms=SHORTEST_MS,
            attempts=(Attempt(option=option, node=place.node, result="overloaded", ms=0.0),),
            window=window,
            count=counted.number,
            in_time=0,
            deadline_ms=None if by_default else counted.deadlines_ms / counted.number,
            begun=begun,
        )
