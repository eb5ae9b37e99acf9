"""Remember the last so many keys: what arrives twice is known, and memory stays bounded."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable


class Recent:
    """A set that forgets its oldest key when it is full; each key may carry a word."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._words: OrderedDict[Hashable, str] = OrderedDict()

    def add(self, key: Hashable, word: str = "") -> None:
        """Remember a key."""
        self._words[key] = word
        self._words.move_to_end(key)
        while len(self._words) > self._capacity:
            self._words.popitem(last=False)

    def get(self, key: Hashable) -> str | None:
        """The word that came with a key; None when it is not known."""
        return self._words.get(key)

    def __contains__(self, key: object) -> bool:
        return key in self._words

    def __len__(self) -> int:
        return len(self._words)
