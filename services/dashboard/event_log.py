"""The latest events as text, for people and screen readers."""

from __future__ import annotations

from tercet.services.dashboard.state_store import StateStore

MAX_EVENTS = 40


class EventLog:
    """The section `journal` of the state: the newest events under increasing numbers."""

    def __init__(self, state: StateStore) -> None:
        self._state, self._next = state, 1

    def add(self, wall: float, kind: str, text: str) -> None:
        """Append an event at `wall` seconds since 1970; the oldest is removed."""
        self._state.put("journal", str(self._next), at=round(wall, 1), kind=kind, words=text)
        self._state.drop("journal", str(self._next - MAX_EVENTS))
        self._next += 1
