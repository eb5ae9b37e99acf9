"""What the page shows, as sections of named records, and what has changed since it last looked."""

from __future__ import annotations

from typing import Any

Record = dict[str, Any]
Change = dict[str, dict[str, Record | None]]
"""Section to key to the fields that changed; None: the record is gone."""


class StateStore:
    """A two-level table that knows what is new. Saying the same again is no change."""

    def __init__(self) -> None:
        self._sections: dict[str, dict[str, Record]] = {}
        self._changed: Change = {}

    def put(self, section: str, key: str, /, **fields: Any) -> None:
        """Set fields of a record, which is made when it is not there; any word may name a field."""
        record = self._sections.setdefault(section, {}).setdefault(key, {})
        news = {name: v for name, v in fields.items() if name not in record or record[name] != v}
        if not news:
            return
        record.update(news)
        changed = self._changed.setdefault(section, {})
        changed[key] = {**(changed.get(key) or {}), **news}

    def drop(self, section: str, key: str) -> None:
        """Remove a record."""
        if self._sections.get(section, {}).pop(key, None) is not None:
            self._changed.setdefault(section, {})[key] = None

    def get(self, section: str, key: str) -> Record:
        """One record, empty when there is none."""
        return self._sections.get(section, {}).get(key, {})

    def section(self, name: str) -> dict[str, Record]:
        """All records of a section."""
        return self._sections.get(name, {})

    def changes(self) -> Change:
        """What has changed since this was last asked."""
        changed, self._changed = self._changed, {}
        return changed
