"""Join outcomes into windows by number; no window waits for a silent device.

A window is closed some time after it has ended: twice as long as the slowest outcome of late took,
within limits. What is reported later counts as late: it is part of the demand, and of no
experience. The caller passes the time in.
"""

from __future__ import annotations

from collections import deque
from typing import Literal

from tercet.experience.tally import names_known
from tercet.experience.window_record import WindowRecord
from tercet.messaging.recent_ids import RecentIds
from tercet.schemas.outcome import Outcome

JoinResult = Literal["counted", "late", "duplicate", "unknown"]
"""`unknown`: of no window that is remembered, or of a device or option that it did not have."""

REMEMBERED = 300
"""Windows that are remembered after they were closed: their outcomes are late, not unknown."""
WATCHED = 100
"""Closed windows over which the slowest outcome is taken."""
MARGIN = 2.0
"""A window waits for so many times as long as that one took."""
KNOWN_IDS = 100_000
"""Outcomes that are recognised when they come twice."""


class WindowJoiner:
    """Owns the windows that are not closed yet; the newest one is open."""

    def __init__(self, least_s: float, most_s: float, remembered: int = REMEMBERED) -> None:
        """Limits of the seconds after its end for which a window waits for outcomes."""
        self._least_s, self._most_s = least_s, most_s
        self._slowest: deque[float] = deque([0.0], maxlen=WATCHED)
        """Seconds from the end of a window to its last outcome; the last is of those not closed."""
        self._waiting: deque[WindowRecord] = deque()
        self._closed: deque[tuple[int, float]] = deque(maxlen=remembered)
        """Number and end of windows that were closed, oldest first."""
        self._known = RecentIds(KNOWN_IDS)

    @property
    def current(self) -> WindowRecord | None:
        """The window that is open."""
        return self._waiting[-1] if self._waiting else None

    def open(self, record: WindowRecord) -> None:
        """A window begins, and the one before it ends, if it was not ended yet."""
        if self.current is not None:
            if record.number <= self.current.number:
                raise ValueError(f"window {record.number} after {self.current.number}")
            if self.current.ended is None:
                self.current.end(record.began, record.in_force.state)
        self._waiting.append(record)

    def add(self, outcome: Outcome, now: float, first: bool = False) -> JoinResult:
        """Enter an outcome into its window, once.

        `first`: its place had to be made ready for it (`first_uses`), so that it teaches no load.
        """
        if outcome.id in self._known:
            return "duplicate"
        number = self._number(outcome, now)
        record = next((w for w in self._waiting if w.number == number), None)
        ended = self._ended_at(number) if record is None else record.ended
        self._slowest[-1] = max(self._slowest[-1], now - (now if ended is None else ended))
        if record is None:
            return "unknown" if ended is None else self._late(outcome)
        if outcome.row not in record.in_force.assigned:
            return "unknown"
        if not names_known(outcome, record.in_force.fleet):
            return "unknown"
        self._known.add(outcome.id)
        straddled = first or self._straddled(outcome, record)
        if straddled != outcome.straddled:
            outcome = outcome.model_copy(update={"straddled": straddled})
        record.outcomes[outcome.id] = outcome
        return "counted"

    @property
    def grace_s(self) -> float:
        """Seconds after its end for which a window waits at present."""
        return min(max(self._least_s, MARGIN * max(self._slowest)), self._most_s)

    def due(self, now: float) -> list[WindowRecord]:
        """Close the windows that have waited long enough, oldest first; each is returned once."""
        found = []
        while self._waiting:
            ended = self._waiting[0].ended
            if ended is None or now < ended + self.grace_s:
                break
            found.append(self._waiting.popleft())
            self._closed.append((found[-1].number, ended))
            self._slowest.append(0.0)
        return found

    def began_at(self, number: int) -> float | None:
        """When a window that is not closed began; None for others."""
        return next((w.began for w in self._waiting if w.number == number), None)

    def late_by(self, number: int, now: float) -> float:
        """Seconds since the end of a window that was closed."""
        ended = self._ended_at(number)
        return 0.0 if ended is None else now - ended

    def _ended_at(self, number: int | None) -> float | None:
        return next((ended for known, ended in self._closed if known == number), None)

    def _late(self, outcome: Outcome) -> JoinResult:
        self._known.add(outcome.id)
        return "late"

    def _number(self, outcome: Outcome, now: float) -> int | None:
        """Its window: the one that it names, else the one in which its request arrived.

        Times of a simulated world are virtual: it belongs to the open window.
        """
        if outcome.window is not None:
            return outcome.window
        arrived = now if outcome.simulated else now - outcome.response_ms / 1000
        for record in reversed(self._waiting):
            if arrived >= record.began:
                return record.number
        return None

    def _straddled(self, outcome: Outcome, record: WindowRecord) -> bool:
        """Whether the load of a node that it was tried at was changed while it was in progress.

        A gateway sees only that some device's option was changed. Requests that take longer than
        others straddle more often: if all of them were left out, slow places would look fast.
        """
        if not outcome.straddled and outcome.window is not None:
            return False
        device, fleet = outcome.device, record.in_force.fleet
        tried = {a.node for a in outcome.attempts} or {fleet.node(device, outcome.executed)}
        later = [w for w in self._waiting if w.number > record.number]
        return any(w.users.get(n) != record.users.get(n) for w in later for n in tried)
