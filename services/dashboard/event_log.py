"""What happened, in words, for people and screen readers: the last few events."""

from __future__ import annotations

from tercet.services.dashboard.state_store import StateStore

KEPT = 40


class Journal:
    """A section of the board that holds the newest events under growing numbers."""

    def __init__(self, board: StateStore) -> None:
        self._board, self._next = board, 1

    def say(self, wall: float, kind: str, words: str) -> None:
        """Add an event; the oldest goes."""
        self._board.put("journal", str(self._next), at=round(wall, 1), kind=kind, words=words)
        self._board.drop("journal", str(self._next - KEPT))
        self._next += 1
