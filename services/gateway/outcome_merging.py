"""Under high demand, report several requests of one decision and option in one outcome. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import datetime
from uuid import uuid5

from tercet.schemas.outcome import Outcome

Key = tuple[object, ...]


@dataclass
class MergedOutcomes:
    """Sums over requests that ended alike."""

    first: Outcome
    last: datetime | None = None
    """When the latest picture arrived, as far as that is known."""
    count: int = 0
    in_time: int = 0
    total_ms: float = 0.0
    squared_ms: float = 0.0
    first_attempt_ms: float = 0.0
    network_ms: float = 0.0
    queue_ms: float = 0.0
    compute_ms: float = 0.0

    def add(self, outcome: Outcome) -> None:
        """Enter one more request."""
        ms = outcome.response_ms
        self.count += 1
        if outcome.arrived_at is not None:
            self.last = max(self.last or outcome.arrived_at, outcome.arrived_at)
        answered = not outcome.attempts or outcome.attempts[-1].result == "ok"
        self.in_time += answered and (outcome.deadline_ms is None or ms <= outcome.deadline_ms)
        self.first_attempt_ms += outcome.attempts[0].ms if outcome.attempts else 0.0
        self.total_ms += ms
        self.squared_ms += ms * ms
        self.network_ms += outcome.network_ms
        self.queue_ms += outcome.queue_ms
        self.compute_ms += outcome.compute_ms

    def outcome(self) -> Outcome:
        """All of them as one: means of the times, and no labels or frame.

        Of those that failed everywhere only the first attempt is reported, where it was decided.
        """
        if self.count == 1:
            return self.first
        n, mean = self.count, self.total_ms / self.count
        first = self.first.attempts[:1]
        tried = tuple(a.model_copy(update={"ms": self.first_attempt_ms / n}) for a in first)
        place = {"executed": first[0].option, "node": first[0].node} if first else {}
        return self.first.model_copy(
            update={
                "id": uuid5(self.first.id, "merged"),
                "count": n,
                "last_arrived_at": self.last,
                "in_time": self.in_time,
                "response_ms": mean,
                "spread_ms": math.sqrt(max(self.squared_ms / n - mean * mean, 0.0)),
                "network_ms": self.network_ms / n,
                "queue_ms": self.queue_ms / n,
                "compute_ms": self.compute_ms / n,
                **place,
                "attempts": tried,
                "frame": None,
                "request": None,
                "labels": (),
            }
        )


@dataclass
class OutcomeMerger:
    """Lets so many outcomes of a kind a second pass one by one, and merges those beyond."""

    per_second: int = 20
    period_s: float = 0.5
    """Merged outcomes wait so long, at most."""
    _since: float = float("-inf")
    """When the present second began; `now` is on a monotonic clock."""
    _passed: dict[Key, int] = field(default_factory=dict)
    _merged: dict[Key, MergedOutcomes] = field(default_factory=dict)
    _oldest: float = 0.0

    def add(self, outcome: Outcome, now: float) -> Outcome | None:
        """Return the outcome if it is to be reported by itself, None if it is merged."""
        answered_later = len(outcome.attempts) > 1 and outcome.attempts[-1].result == "ok"
        if answered_later or outcome.round_id is not None:
            return outcome
        if now - self._since >= 1.0:
            self._since, self._passed = now, {}
        key = _key(outcome)
        passed = self._passed.get(key, 0)
        if passed < self.per_second:
            self._passed[key] = passed + 1
            return outcome
        if not self._merged:
            self._oldest = now
        self._merged.setdefault(key, MergedOutcomes(outcome)).add(outcome)
        return None

    def due(self, now: float, window: int | None) -> list[Outcome]:
        """Return the merged outcomes that wait no longer: their time or their window is over."""
        if not self._merged:
            return []
        other = any(m.first.window != window for m in self._merged.values())
        if not other and now - self._oldest < self.period_s:
            return []
        found = [merged.outcome() for merged in self._merged.values()]
        self._merged.clear()
        return found


def _key(o: Outcome) -> Key:
    """Requests with the same key may be reported together."""
    return (
        o.family, o.cause, o.assigned, o.executed, o.node, o.fallback, o.window, o.straddled,
        o.source, o.deadline_ms, o.emulated, o.late,
        *((a.option, a.node, a.result) for a in o.attempts),
    )  # fmt: skip
