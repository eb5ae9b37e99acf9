"""Remember the last so many ids: what arrives twice is known, and memory stays bounded."""

from __future__ import annotations

from collections import OrderedDict
from uuid import UUID


class Recent:
    """A set that forgets its oldest id when it is full; each id may carry a word."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._words: OrderedDict[UUID, str] = OrderedDict()

    def add(self, key: UUID, word: str = "") -> None:
        """Remember an id."""
        self._words[key] = word
        self._words.move_to_end(key)
        while len(self._words) > self._capacity:
            self._words.popitem(last=False)

    def get(self, key: UUID) -> str | None:
        """The word that came with an id; None when it is not known."""
        return self._words.get(key)

    def __contains__(self, key: object) -> bool:
        return key in self._words

    def __len__(self) -> int:
        return len(self._words)
