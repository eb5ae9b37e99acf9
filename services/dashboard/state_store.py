"""The records that the page shows, in named sections, and the changes since the last read."""

from __future__ import annotations

from typing import Any

Record = dict[str, Any]
Change = dict[str, dict[str, Record | None]]
"""Section to key to the changed fields; None if the record was removed."""


class StateStore:
    """A two-level table that tracks changes. Writing an equal value is not a change."""

    def __init__(self) -> None:
        self._sections: dict[str, dict[str, Record]] = {}
        self._changed: Change = {}

    def put(self, section: str, key: str, /, **fields: Any) -> None:
        """Set fields of a record; creates the record if needed. Field names are unrestricted."""
        record = self._sections.setdefault(section, {}).setdefault(key, {})
        new = {name: v for name, v in fields.items() if name not in record or record[name] != v}
        if not new:
            return
        record.update(new)
        changed = self._changed.setdefault(section, {})
        changed[key] = {**(changed.get(key) or {}), **new}

    def drop(self, section: str, key: str) -> None:
        """Remove a record."""
        if self._sections.get(section, {}).pop(key, None) is not None:
            self._changed.setdefault(section, {})[key] = None

    def get(self, section: str, key: str) -> Record:
        """Return one record; empty if there is none."""
        return self._sections.get(section, {}).get(key, {})

    def section(self, name: str) -> dict[str, Record]:
        """Return all records of a section."""
        return self._sections.get(name, {})

    def changes(self) -> Change:
        """Return the changes since the last call."""
        changed, self._changed = self._changed, {}
        return changed
