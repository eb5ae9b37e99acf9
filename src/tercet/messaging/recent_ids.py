"""A bounded set of keys, to detect what arrives twice."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable


class RecentIds:
    """A set that drops its oldest key when it is full; each key may carry a note."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._notes: OrderedDict[Hashable, str] = OrderedDict()

    def add(self, key: Hashable, note: str = "") -> None:
        """Add a key, or make it the newest again."""
        self._notes[key] = note
        self._notes.move_to_end(key)
        while len(self._notes) > self._capacity:
            self._notes.popitem(last=False)

    def get(self, key: Hashable) -> str | None:
        """Return the note of a key; None when the key is not in the set."""
        return self._notes.get(key)

    def __contains__(self, key: object) -> bool:
        return key in self._notes

    def __len__(self) -> int:
        return len(self._notes)
